#include "net/response_reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "base/text.hpp"

namespace aeterna::net {
namespace {

namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;

constexpr std::size_t kBuffer = 16 * 1024;
constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kMaxHeaders = 256;
constexpr int kMaxInterim = 8;
constexpr std::uint64_t kReserve = 256 * 1024;

class ResponseParser final : public http::basic_parser<false> {
  public:
    ResponseParser(bool to_head, bool streamed, std::size_t limit)
        : streamed_(streamed), body_left_(limit) {
        eager(true);
        body_limit(boost::none);
        header_limit(kMaxHead);
        skip(to_head);
    }

    HttpResponse response;
    std::string_view problem;
    bool http11 = true;

  private:
    bool head_done_ = false;
    const bool streamed_;
    std::size_t body_left_;

    void refuse(std::string_view why, ErrorCode& error) {
        problem = why;
        error = http::error::bad_value;
    }

    std::size_t take_body(boost::beast::string_view body, ErrorCode& error) {
        if (body.size() > body_left_) {
            refuse("the answer is larger than the limit", error);
            return 0;
        }
        body_left_ -= body.size();
        response.body.append(body.data(), body.size());
        return body.size();
    }

    void on_request_impl(http::verb, boost::beast::string_view, boost::beast::string_view, int,
                         ErrorCode&) override {}
    void on_response_impl(int status, boost::beast::string_view, int version,
                          ErrorCode& error) override {
        if (status < 100 || status > 599) return refuse("a status that HTTP does not know", error);
        response.status = status;
        http11 = version == 11;
    }
    void on_field_impl(http::field, boost::beast::string_view name, boost::beast::string_view value,
                       ErrorCode& error) override {
        if (head_done_) return;  // trailers
        if (response.headers.all().size() >= kMaxHeaders) return refuse("too many headers", error);
        response.headers.add(std::string(name.data(), name.size()),
                             std::string(value.data(), value.size()));
    }
    void on_header_impl(ErrorCode& error) override {
        head_done_ = true;
        const std::size_t encodings = response.headers.count("Transfer-Encoding");
        const std::size_t lengths = response.headers.count("Content-Length");
        if (encodings > 0 &&
            (encodings > 1 || lengths > 0 ||
             !equals_ignoring_case(response.headers.find("Transfer-Encoding").value_or(""),
                                   "chunked"))) {
            return refuse("a Transfer-Encoding that is not plain \"chunked\"", error);
        }
        if (lengths > 1) return refuse("more than one Content-Length", error);
        if (streamed_ && response.status / 100 == 2) {
            body_left_ = std::numeric_limits<std::size_t>::max();
        }
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                           ErrorCode& error) override {
        if (!length) return;
        if (*length > body_left_) return refuse("the answer is larger than the limit", error);
        response.body.reserve(std::min(*length, kReserve));
    }
    std::size_t on_body_impl(boost::beast::string_view body, ErrorCode& error) override {
        return take_body(body, error);
    }
    void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, ErrorCode&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body,
                                   ErrorCode& error) override {
        return take_body(body, error);
    }
    void on_finish_impl(ErrorCode&) override {}
};

}  // namespace

struct ResponseReader::Impl {
    Impl(bool head, bool stream, std::size_t limit)
        : to_head(head), streamed(stream), body_limit(limit), buffer(kBuffer) {
        parser = std::make_unique<ResponseParser>(to_head, streamed, body_limit);
    }

    const bool to_head;
    const bool streamed;
    const std::size_t body_limit;
    std::vector<char> buffer;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t head_bytes = 0;
    int interim = 0;
    bool started = false;
    std::string problem;
    std::unique_ptr<ResponseParser> parser;

    [[nodiscard]] std::size_t held() const { return end - begin; }

    Step bad(std::string_view why) {
        if (problem.empty()) problem = why;
        return Step::kBad;
    }

    Step next() {
        if (!problem.empty()) return Step::kBad;
        for (;;) {
            while (!parser->is_done() && held() > 0) {
                const bool in_head = !parser->is_header_done();
                ErrorCode error;
                const std::size_t used = parser->put({buffer.data() + begin, held()}, error);
                begin += used;
                if (in_head) head_bytes += used;
                if (!parser->problem.empty()) return bad(parser->problem);
                if (error && error != http::error::need_more) return bad(error.message());
                if (in_head && !parser->is_header_done() && head_bytes + held() > kMaxHead) {
                    return bad("a head that is larger than 64 KiB");
                }
                if (error && held() > kMaxHead) return bad("framing without an end");
                if (error || used == 0) break;
            }
            if (!parser->is_done()) return Step::kMore;
            const int status = parser->response.status;
            if (status >= 200) return Step::kDone;
            if (status == 101) return bad("a change of protocol that nobody asked for");
            if (++interim > kMaxInterim) return bad("too many interim answers");
            parser = std::make_unique<ResponseParser>(to_head, streamed, body_limit);
            head_bytes = 0;
        }
    }
};

ResponseReader::ResponseReader(bool to_head, bool streamed, std::size_t body_limit)
    : impl_(std::make_unique<Impl>(to_head, streamed, body_limit)) {}
ResponseReader::~ResponseReader() = default;

std::span<char> ResponseReader::space() {
    Impl& r = *impl_;
    if (r.begin > 0) {
        std::memmove(r.buffer.data(), r.buffer.data() + r.begin, r.held());
        r.end -= r.begin;
        r.begin = 0;
    }
    // What is held is bounded by kMaxHead, so this growth is too.
    if (r.buffer.size() - r.end < kBuffer / 2) r.buffer.resize(r.buffer.size() + kBuffer);
    return {r.buffer.data() + r.end, r.buffer.size() - r.end};
}

void ResponseReader::received(std::size_t count) {
    impl_->end += count;
    impl_->started = impl_->started || count > 0;
}

ResponseReader::Step ResponseReader::next() {
    return impl_->next();
}

ResponseReader::Step ResponseReader::ended() {
    Impl& r = *impl_;
    if (!r.problem.empty()) return Step::kBad;
    if (r.parser->is_done()) return Step::kDone;
    if (!r.parser->is_header_done()) return r.bad("the connection closed before the whole head");
    ErrorCode error;
    r.parser->put_eof(error);
    if (error) return r.bad("the connection closed before the whole body");
    return Step::kDone;
}

bool ResponseReader::head_done() const noexcept {
    return impl_->parser->is_header_done() && impl_->parser->response.status >= 200;
}

bool ResponseReader::started() const noexcept {
    return impl_->started;
}

bool ResponseReader::reusable() const noexcept {
    const Impl& r = *impl_;
    return r.parser->is_done() && r.parser->http11 && r.parser->keep_alive() && r.held() == 0;
}

HttpResponse& ResponseReader::response() noexcept {
    return impl_->parser->response;
}

std::string_view ResponseReader::problem() const noexcept {
    return impl_->problem;
}

}  // namespace aeterna::net
