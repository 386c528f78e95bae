#include "net/request_reader.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "base/text.hpp"

namespace aeterna::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using ErrorCode = error_code;

constexpr std::size_t kFirstBuffer = 4 * 1024;
constexpr std::size_t kBodyBuffer = 64 * 1024;  // also the most that is read ahead
constexpr std::size_t kDefaultBody = 1024 * 1024;
constexpr std::size_t kMaxHeaders = 128;
constexpr int kMaxEmptyLines = 4;  // before a request line; some clients send one after a body
constexpr std::size_t kMaxChunkLine = 4 * 1024;
// Framing may take this many bytes beyond eight per byte of body: chunks of one byte take six.
constexpr std::size_t kFreeFraming = 64 * 1024;

constexpr Rejection kBadBytes{
    400, "malformed",
    "The request head has a byte that HTTP does not allow there (a control character, a bare line "
    "feed or a folded header). Send it as HTTP/1.1 lines that end in CRLF."};
constexpr Rejection kHeadTooLarge{431, "headers_too_large",
                                  "The request line and headers are larger than this server reads. "
                                  "Send fewer or shorter headers.",
                                  "too_large"};
constexpr Rejection kTargetTooLong{
    414, "target_too_long",
    "The request target is longer than this server reads. Send long parameters in the body.",
    "too_large"};
constexpr Rejection kBodyTooLarge{
    413, "too_large",
    "The body is larger than this route accepts. Send less, or use a batch route in parts.",
    "too_large"};
constexpr Rejection kBadLength{
    400, "malformed",
    "Content-Length must be one whole number, given once, and not beside Transfer-Encoding."};
constexpr Rejection kBadEncoding{
    400, "malformed",
    "Transfer-Encoding must be \"chunked\", given once, in HTTP/1.1, and not beside "
    "Content-Length."};
constexpr Rejection kOtherEncoding{
    501, "unsupported_transfer_encoding",
    "This server reads no Transfer-Encoding but \"chunked\". Send the body plain or chunked."};
constexpr Rejection kBadHost{
    400, "malformed",
    "A request needs exactly one Host header with a host name or address and an optional port."};
constexpr Rejection kBadTarget{
    400, "malformed",
    "The request target must be a path that starts with '/' (or http://host/path), with every byte "
    "outside ASCII, spaces and '#' percent-encoded."};
constexpr Rejection kBadVersion{505, "version_not_supported",
                                "This server speaks HTTP/1.1 and HTTP/1.0."};
constexpr Rejection kBadExpect{417, "expectation_failed",
                               "The only Expect value this server knows is \"100-continue\"."};
constexpr Rejection kBadChunk{400, "malformed", "The chunked body is not framed as HTTP says."};
constexpr Rejection kBadHead{400, "malformed",
                             "The request line or a header cannot be read as HTTP/1.1 says."};

/// May stand inside a line of the head.
bool plain(char c) {
    static constexpr auto kTable = [] {
        std::array<bool, 256> table{};
        for (std::size_t i = 0; i < table.size(); ++i) {
            table[i] = (i >= 0x20 && i != 0x7f) || i == '\t';
        }
        return table;
    }();
    return kTable[static_cast<unsigned char>(c)];
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.size() <= 19 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// uri-host [":" port]; registered names, addresses, nothing that ends an authority.
bool valid_host(std::string_view text) {
    static constexpr std::string_view kMarks = "-._~!$&'()*+;=%:[]";
    return !text.empty() && text.size() <= 300 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kMarks.find(c) != std::string_view::npos;
    });
}

class Parser final : public http::basic_parser<true> {
  public:
    explicit Parser(const RequestLimits& limits) : limits_(limits) {
        eager(true);
        body_limit(boost::none);  // the route decides, once it is known
        header_limit(std::numeric_limits<std::uint32_t>::max());  // counted by the reader
    }

    IncomingRequest incoming;
    std::optional<Rejection> rejection;
    bool expects_continue = false;
    std::size_t body_limit_bytes = kDefaultBody;

  private:
    const RequestLimits& limits_;
    bool head_done_ = false;
    std::string authority_;  // of an absolute-form target

    void refuse(const Rejection& why, ErrorCode& error) {
        if (!rejection) rejection = why;
        error = http::error::bad_value;
    }

    void on_request_impl(http::verb /*method*/, boost::beast::string_view method,
                         boost::beast::string_view sent, int version, ErrorCode& error) override {
        HttpRequest& request = incoming.request;
        std::string_view target(sent.data(), sent.size());
        if (target.size() > limits_.target) return refuse(kTargetTooLong, error);
        for (const char c : target) {
            if (c <= ' ' || c >= 0x7f || c == '#') return refuse(kBadTarget, error);
        }
        for (const std::string_view scheme : {"http://", "https://"}) {
            if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
            target.remove_prefix(scheme.size());
            const std::size_t end = std::min(target.find_first_of("/?"), target.size());
            authority_ = target.substr(0, end);
            if (!valid_host(authority_)) return refuse(kBadTarget, error);
            target.remove_prefix(end);
            break;
        }
        request.target = target;
        if (!authority_.empty() && !target.starts_with('/')) request.target.insert(0, 1, '/');
        if (!request.target.starts_with('/')) return refuse(kBadTarget, error);
        const std::size_t question = std::min(request.target.find('?'), request.target.size());
        request.path = request.target.substr(0, question);
        request.query = request.target.substr(std::min(question + 1, request.target.size()));
        request.method.assign(method.data(), method.size());
        incoming.http11 = version == 11;
        if (request.method == "HEAD") {
            incoming.head_only = true;
            request.method = "GET";
        }
    }

    void on_response_impl(int, boost::beast::string_view, int, ErrorCode&) override {}

    void on_field_impl(http::field, boost::beast::string_view name, boost::beast::string_view value,
                       ErrorCode& error) override {
        if (head_done_) return;  // trailers mean nothing here
        Headers& headers = incoming.request.headers;
        if (headers.all().size() >= kMaxHeaders) return refuse(kHeadTooLarge, error);
        headers.add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }

    void on_header_impl(ErrorCode& error) override {
        head_done_ = true;
        HttpRequest& request = incoming.request;
        Headers& headers = request.headers;
        const std::size_t hosts = headers.count("Host");
        if (hosts > 1 || (hosts == 0 && incoming.http11)) return refuse(kBadHost, error);
        if (hosts == 1 && !valid_host(headers.find("Host").value_or("")))
            return refuse(kBadHost, error);
        if (!authority_.empty()) headers.set("Host", authority_);

        const std::size_t encodings = headers.count("Transfer-Encoding");
        const std::size_t lengths = headers.count("Content-Length");
        if (lengths > 1 ||
            (lengths == 1 && !all_digits(headers.find("Content-Length").value_or("")))) {
            return refuse(kBadLength, error);
        }
        if (encodings > 1 || (encodings == 1 && (lengths != 0 || !incoming.http11))) {
            return refuse(kBadEncoding, error);
        }
        if (encodings == 1 &&
            !equals_ignoring_case(headers.find("Transfer-Encoding").value_or(""), "chunked")) {
            return refuse(kOtherEncoding, error);
        }
        if (limits_.body) body_limit_bytes = limits_.body(request.method, request.path);
        const auto length = content_length();
        if (length && *length > body_limit_bytes) return refuse(kBodyTooLarge, error);

        incoming.keep_alive = incoming.http11 && keep_alive();
        if (const auto expect = headers.find("Expect"); expect && incoming.http11) {
            if (!equals_ignoring_case(*expect, "100-continue")) return refuse(kBadExpect, error);
            expects_continue = encodings == 1 || (length && *length > 0);
        }
        request.arrived = std::chrono::steady_clock::now();
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) override {
        // Not the whole length: it is only a promise yet.
        if (length) incoming.request.body.reserve(std::min<std::uint64_t>(*length, kBodyBuffer));
    }

    std::size_t on_body_impl(boost::beast::string_view body, ErrorCode&) override {
        incoming.request.body.append(body.data(), body.size());
        return body.size();
    }

    void on_chunk_header_impl(std::uint64_t size, boost::beast::string_view,
                              ErrorCode& error) override {
        const std::size_t room = body_limit_bytes - incoming.request.body.size();
        if (size > room) refuse(kBodyTooLarge, error);
    }

    std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body,
                                   ErrorCode&) override {
        incoming.request.body.append(body.data(), body.size());
        return body.size();
    }

    void on_finish_impl(ErrorCode&) override {}
};

Rejection why(const ErrorCode& error, std::string_view head) {
    if (error == http::error::bad_version) {
        const std::string_view line = head.substr(0, head.find('\r'));
        const std::size_t at = line.rfind(" HTTP/");
        const bool version = at != std::string_view::npos && at + 9 == line.size() &&
                             line.find(' ') == line.rfind(' ', at - 1);
        return version ? kBadVersion : kBadHead;
    }
    if (error == http::error::bad_target) return kBadTarget;
    if (error == http::error::bad_content_length || error == http::error::multiple_content_length) {
        return kBadLength;
    }
    if (error == http::error::bad_transfer_encoding) return kBadEncoding;
    return kBadHead;
}

}  // namespace

struct RequestReader::Impl {
    explicit Impl(const RequestLimits& l) : limits(l), buffer(kFirstBuffer) {}

    const RequestLimits& limits;
    std::vector<char> buffer;
    std::size_t begin = 0;    // first byte not consumed
    std::size_t end = 0;      // past the last byte received
    std::size_t scanned = 0;  // bytes of the head, from begin, that are known to be well-formed
    int empty_lines = 0;
    std::size_t wire_bytes = 0;  // of a chunked body, framing included
    bool continue_sent = false;
    Phase phase = Phase::kIdle;
    std::unique_ptr<Parser> parser;
    std::optional<Rejection> rejection;

    [[nodiscard]] std::size_t held() const { return end - begin; }
    [[nodiscard]] std::size_t capacity() const {
        return std::max(kBodyBuffer, limits.header + kFirstBuffer);
    }

    Step reject(const Rejection& reason) {
        rejection = reason;
        return Step::kRejected;
    }

    Step next() {
        if (rejection) return Step::kRejected;
        if (phase == Phase::kIdle) {
            if (const auto step = skip_empty_lines()) return *step;
        }
        if (phase == Phase::kHead) {
            const auto size = find_head();
            if (!size) return rejection ? Step::kRejected : Step::kMore;
            if (const auto step = parse_head(*size)) return *step;
        }
        return parse_body();
    }

    std::optional<Step> skip_empty_lines() {
        while (held() >= 2 && buffer[begin] == '\r' && buffer[begin + 1] == '\n') {
            if (++empty_lines > kMaxEmptyLines) return reject(kBadBytes);
            begin += 2;
        }
        if (held() == 0 || (held() == 1 && buffer[begin] == '\r')) return Step::kMore;
        phase = Phase::kHead;
        scanned = 0;
        return std::nullopt;
    }

    /// Size of the head with its empty line, once it is there. Refuses early: a peer that speaks
    /// something else gets its answer without a time-out.
    std::optional<std::size_t> find_head() {
        const char* const head = buffer.data() + begin;
        const std::size_t size = std::min(held(), limits.header);
        for (std::size_t i = scanned; i < size;) {
            const char byte = head[i];
            const char before = i > 0 ? head[i - 1] : '\0';
            if (plain(byte)) {
                const bool folded = before == '\n' && (byte == ' ' || byte == '\t');
                if (before == '\r' || folded) return bad(kBadBytes);
                do ++i;
                while (i < size && plain(head[i]));
                continue;
            }
            const bool in_place = byte == '\n' ? before == '\r' : byte == '\r' && before != '\r';
            if (!in_place) return bad(kBadBytes);
            if (byte == '\n' && i >= 3 && head[i - 2] == '\n') return i + 1;
            ++i;
        }
        scanned = size;
        if (size < limits.header) return std::nullopt;
        const bool line = std::memchr(head, '\n', size) != nullptr;
        return bad(line ? kHeadTooLarge : kTargetTooLong);
    }

    std::optional<std::size_t> bad(const Rejection& reason) {
        rejection = reason;
        return std::nullopt;
    }

    std::optional<Step> parse_head(std::size_t size) {
        ErrorCode error;
        parser = std::make_unique<Parser>(limits);
        const std::size_t used = parser->put({buffer.data() + begin, size}, error);
        if (parser->rejection) return reject(*parser->rejection);
        if (error && error != http::error::need_more) {
            return reject(why(error, {buffer.data() + begin, size}));
        }
        if (!parser->is_header_done() || used != size) return reject(kBadHead);
        begin += size;
        phase = Phase::kBody;
        wire_bytes = 0;
        continue_sent = false;
        return std::nullopt;
    }

    Step parse_body() {
        while (!parser->is_done() && held() > 0) {
            ErrorCode error;
            const std::size_t used = parser->put({buffer.data() + begin, held()}, error);
            begin += used;
            wire_bytes += used;
            if (parser->rejection) return reject(*parser->rejection);
            if (error && error != http::error::need_more) return reject(kBadChunk);
            if (parser->chunked()) {
                const std::size_t body = parser->incoming.request.body.size();
                if (wire_bytes > kFreeFraming + 8 * body) return reject(kBadChunk);
                if (error && held() > kMaxChunkLine + limits.header) return reject(kBadChunk);
            }
            if (error || used == 0) break;
        }
        if (parser->is_done()) return Step::kRequest;
        if (parser->expects_continue && !continue_sent) {
            continue_sent = true;
            // Who has sent a part of the body does not wait.
            if (held() == 0 && parser->incoming.request.body.empty()) return Step::kContinue;
        }
        return Step::kMore;
    }
};

RequestReader::RequestReader(const RequestLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;

std::span<char> RequestReader::space() {
    Impl& r = *impl_;
    if (r.begin == r.end) {
        r.begin = r.end = 0;
    } else if (r.begin > 0 && r.buffer.size() - r.end < kFirstBuffer / 2) {
        std::memmove(r.buffer.data(), r.buffer.data() + r.begin, r.held());
        r.end -= r.begin;
        r.begin = 0;
    }
    const bool bulk = r.phase == Phase::kBody;
    if (r.buffer.size() - r.end < kFirstBuffer / 2 || (bulk && r.buffer.size() < kBodyBuffer)) {
        const std::size_t wanted = bulk ? kBodyBuffer : r.buffer.size() * 2;
        r.buffer.resize(std::min(r.capacity(), std::max(wanted, r.end + kFirstBuffer)));
    }
    return {r.buffer.data() + r.end, r.buffer.size() - r.end};
}

void RequestReader::received(std::size_t count) {
    impl_->end += count;
}

std::size_t RequestReader::read_ahead_room() const noexcept {
    const std::size_t held = impl_->held();
    return held < kFirstBuffer ? kFirstBuffer - held : 0;
}

bool RequestReader::holds_bytes() const noexcept {
    return impl_->held() != 0;
}

RequestReader::Step RequestReader::next() {
    return impl_->next();
}

IncomingRequest RequestReader::take() {
    Impl& r = *impl_;
    IncomingRequest out = std::move(r.parser->incoming);
    r.parser.reset();
    r.phase = Phase::kIdle;
    r.empty_lines = 0;
    // An idle connection keeps only the small buffer.
    if (r.begin == r.end && r.buffer.size() > kFirstBuffer) {
        r.buffer = std::vector<char>(kFirstBuffer);
        r.begin = r.end = 0;
    }
    return out;
}

const Rejection& RequestReader::rejection() const noexcept {
    return *impl_->rejection;
}

RequestReader::Phase RequestReader::phase() const noexcept {
    return impl_->phase;
}

std::size_t RequestReader::body_bytes() const noexcept {
    return impl_->parser ? impl_->parser->incoming.request.body.size() : 0;
}

}  // namespace aeterna::net
