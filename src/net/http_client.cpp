#include "net/http_client.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "net/response_head.hpp"
#include "net/response_reader.hpp"
#include "net/wire.hpp"

namespace aeterna::net {
namespace {

using boost::system::error_code;
using Tcp = asio::ip::tcp;
using LoopTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;
using Sink = std::function<bool(std::string_view)>;

/// Closes a wire when its time has come; one timer for everything a call waits for.
class Guard {
  public:
    Guard(LoopExecutor executor, Wire& wire, Deadline deadline)
        : timer_(executor, deadline.moment()), state_(std::make_shared<State>()) {
        state_->wire = &wire;
        timer_.async_wait([state = state_](error_code error) {
            if (error || state->wire == nullptr) return;
            state->passed = true;
            state->wire->close();
        });
    }
    ~Guard() { state_->wire = nullptr; }
    Guard(const Guard&) = delete;
    [[nodiscard]] bool passed() const { return state_->passed; }

  private:
    struct State {
        Wire* wire = nullptr;
        bool passed = false;
    };
    LoopTimer timer_;
    std::shared_ptr<State> state_;
};

bool harmless(const HttpRequest& request) {
    return request.method == "GET" || request.method == "HEAD";
}

result<std::string> request_head(const Url& origin, const HttpRequest& request) {
    const auto bad = [](std::string_view what) {
        return fail(Code::kMalformed, "bad_request",
                    fmt::format("The {} cannot be written as HTTP.", what));
    };
    std::string target = request.target;
    if (target.empty()) {
        target = request.path;
        if (!request.query.empty()) target += '?' + request.query;
    }
    if (target.empty() && origin.path.empty()) target = "/";
    target.insert(0, origin.path);
    if (!target.starts_with('/')) return bad("target");
    for (const char c : target) {
        if (c <= ' ' || c >= 0x7f || c == '#') return bad("target");
    }
    if (!valid_header(request.method, "")) return bad("method");
    std::string out =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, target, origin.authority());
    for (const Header& header : request.headers.all()) {
        bool ours = false;
        for (const std::string_view name : {"Host", "Content-Length", "Transfer-Encoding"}) {
            ours = ours || equals_ignoring_case(header.name, name);
        }
        if (ours) continue;
        if (!valid_header(header.name, header.value)) return bad("header " + header.name);
        out += header.name + ": " + header.value + "\r\n";
    }
    if (!request.body.empty() || !harmless(request)) {
        out += fmt::format("Content-Length: {}\r\n", request.body.size());
    }
    out += "\r\n";
    return out;
}

}  // namespace

struct HttpClient::Impl : std::enable_shared_from_this<HttpClient::Impl> {
    struct Idle {
        std::unique_ptr<Wire> wire;
        Monotonic since;
    };
    struct Call {
        HttpRequest request;
        std::string head;
        Sink sink;
        Deadline deadline;
    };
    struct Exchange {
        result<HttpResponse> answer;
        bool stale = false;  // a pooled connection that was closed before anything came
    };

    Impl(Url o, HttpClientOptions opts) : origin(std::move(o)), options(std::move(opts)) {
        if (origin.tls) tls = TlsClient::make(origin.host, options.ca_file);
    }

    const Url origin;
    const HttpClientOptions options;
    result<std::shared_ptr<TlsClient>> tls = nullptr;
    std::mutex mutex;
    // Sockets belong to the loop they were made on.
    std::map<asio::execution_context*, std::list<Idle>> idle;

    std::unique_ptr<Wire> take_idle(asio::execution_context& loop) {
        const std::lock_guard lock(mutex);
        auto& mine = idle[&loop];
        const auto oldest = std::chrono::steady_clock::now() - options.idle_age;
        while (!mine.empty()) {
            Idle last = std::move(mine.back());
            mine.pop_back();
            if (last.since >= oldest && last.wire->quiet()) return std::move(last.wire);
        }
        return nullptr;
    }

    void give_back(asio::execution_context& loop, std::unique_ptr<Wire> wire) {
        const std::lock_guard lock(mutex);
        auto& mine = idle[&loop];
        mine.push_back({std::move(wire), std::chrono::steady_clock::now()});
        if (mine.size() > options.idle_connections) mine.pop_front();
    }

    [[nodiscard]] Error unreachable(std::string_view why) const {
        return {Code::kUnavailable, "unreachable",
                fmt::format("Cannot reach {}: {}.", origin.authority(), why)};
    }
    [[nodiscard]] Error too_late() const {
        return {Code::kDeadlineExceeded,
                fmt::format("{} did not answer in time.", origin.authority())};
    }

    static task<result<std::vector<Tcp::endpoint>>> resolve(std::shared_ptr<Impl> self,
                                                            Deadline deadline);
    static task<result<std::unique_ptr<Wire>>> connect(std::shared_ptr<Impl> self,
                                                       Deadline deadline);
    static task<Exchange> exchange(std::shared_ptr<Impl> self, std::shared_ptr<const Call> call,
                                   bool fresh);
    static task<result<HttpResponse>> call(std::shared_ptr<Impl> self, HttpRequest request,
                                           Sink sink, Deadline deadline);
};

/// The system's resolver cannot be interrupted: past the deadline its answer is left alone.
task<result<std::vector<Tcp::endpoint>>> HttpClient::Impl::resolve(std::shared_ptr<Impl> self,
                                                                   Deadline deadline) {
    error_code error;
    const auto address = asio::ip::make_address(self->origin.host, error);
    if (!error) co_return std::vector{Tcp::endpoint(address, self->origin.port)};
    if (self->origin.host == "localhost") {
        // RFC 6761: always this machine, whatever a resolver or a hosts file says, or does not.
        co_return std::vector{Tcp::endpoint(asio::ip::address_v4::loopback(), self->origin.port),
                              Tcp::endpoint(asio::ip::address_v6::loopback(), self->origin.port)};
    }
    using Resolver = asio::ip::basic_resolver<Tcp, LoopExecutor>;
    struct State {
        State(LoopExecutor executor, Deadline until)
            : resolver(executor), timer(executor, until.moment()) {}
        Resolver resolver;
        LoopTimer timer;
        error_code error = asio::error::timed_out;
        Resolver::results_type found;
    };
    auto state = std::make_shared<State>(co_await asio::this_coro::executor, deadline);
    state->resolver.async_resolve(self->origin.host, std::to_string(self->origin.port),
                                  [state](error_code failed, Resolver::results_type found) {
                                      state->error = failed;
                                      state->found = std::move(found);
                                      state->timer.cancel();
                                  });
    co_await state->timer.async_wait(asio::redirect_error(kAwait, error));
    if (state->error) {
        co_return fail(
            self->unreachable("no address for its name (" + state->error.message() + ")"));
    }
    std::vector<Tcp::endpoint> out;
    for (const auto& entry : state->found) out.push_back(entry.endpoint());
    co_return out;
}

task<result<std::unique_ptr<Wire>>> HttpClient::Impl::connect(std::shared_ptr<Impl> self,
                                                              Deadline deadline) {
    if (!self->tls) co_return fail(self->tls.error());
    const LoopExecutor executor = co_await asio::this_coro::executor;
    const Deadline soon = deadline.sooner(Deadline::after(self->options.connect_timeout));
    const auto endpoints = co_await resolve(self, soon);
    if (!endpoints) co_return fail(deadline.passed() ? self->too_late() : endpoints.error());
    error_code error = asio::error::host_not_found;
    for (const auto& endpoint : *endpoints) {
        auto wire = self->origin.tls ? (*self->tls)->wire(executor) : make_plain_wire(executor);
        const Guard guard(executor, *wire, soon);
        co_await wire->socket().async_connect(endpoint, asio::redirect_error(kAwait, error));
        if (!error && !guard.passed()) {
            error_code ignored;
            wire->socket().set_option(Tcp::no_delay(true), ignored);
            error = co_await wire->handshake();
            if (!error && !guard.passed()) co_return std::move(wire);
            // Who answers and is not trusted is the answer; another address would only hide why.
            if (error && !guard.passed()) break;
        }
        if (guard.passed()) {
            if (deadline.passed()) co_return fail(self->too_late());
            co_return fail(self->unreachable(
                fmt::format("no connection within {} ms", self->options.connect_timeout.count())));
        }
    }
    co_return fail(self->unreachable(error.message()));
}

task<HttpClient::Impl::Exchange> HttpClient::Impl::exchange(std::shared_ptr<Impl> self,
                                                            std::shared_ptr<const Call> call,
                                                            bool fresh) {
    const HttpRequest& request = call->request;
    const Sink& sink = call->sink;
    const LoopExecutor executor = co_await asio::this_coro::executor;
    std::unique_ptr<Wire> wire;
    if (!fresh) wire = self->take_idle(executor.context());
    const bool pooled = wire != nullptr;
    if (!pooled) {
        auto made = co_await connect(self, call->deadline);
        if (!made) co_return Exchange{fail(std::move(made).error())};
        wire = std::move(*made);
    }
    const Guard guard(executor, *wire, call->deadline);
    ResponseReader reader(request.method == "HEAD", sink != nullptr, self->options.response_limit);
    const auto failed = [&](std::string_view why) -> Exchange {
        if (guard.passed() && (harmless(request) || (sink && reader.head_done()))) {
            return {fail(self->too_late())};
        }
        std::string text =
            fmt::format("{} {}; the request may have taken effect. Ask again with the same key.",
                        self->origin.authority(), guard.passed() ? "did not answer in time" : why);
        return {fail(Code::kOutcomeUnknown, std::move(text)),
                pooled && !guard.passed() && !reader.started()};
    };

    error_code error = co_await wire->write(call->head);
    if (!error && !request.body.empty()) error = co_await wire->write(request.body);
    // Who refuses a request early may have answered before it closed: that is read in any case.
    const bool whole = !error;
    for (;;) {
        const auto step = reader.next();
        if (sink && reader.head_done() && reader.response().status / 100 == 2) {
            std::string piece = std::exchange(reader.response().body, {});
            if (!piece.empty() && !sink(piece)) {
                co_return Exchange{std::move(reader.response())};
            }
        }
        if (step == ResponseReader::Step::kBad) {
            co_return failed(fmt::format("gave an answer that is not HTTP ({})", reader.problem()));
        }
        if (step == ResponseReader::Step::kDone) break;
        error = {};
        const std::size_t count = co_await wire->read(reader.space(), error);
        if (error) co_return failed("broke the connection (" + error.message() + ")");
        reader.received(count);
        if (count != 0) continue;
        if (reader.ended() == ResponseReader::Step::kBad) {
            co_return failed(fmt::format("gave no whole answer ({})", reader.problem()));
        }
        break;
    }
    HttpResponse response = std::move(reader.response());
    if (whole && reader.reusable() && !guard.passed()) {
        self->give_back(executor.context(), std::move(wire));
    }
    co_return Exchange{std::move(response)};
}

task<result<HttpResponse>> HttpClient::Impl::call(std::shared_ptr<Impl> self, HttpRequest request,
                                                  Sink sink, Deadline deadline) {
    auto head = request_head(self->origin, request);
    if (!head) co_return fail(head.error());
    if (deadline.passed()) co_return fail(self->too_late());
    const auto shared = std::make_shared<const Call>(
        Call{std::move(request), std::move(*head), std::move(sink), deadline});
    Exchange first = co_await exchange(self, shared, false);
    const bool may_repeat = harmless(shared->request) || shared->request.repeatable;
    if (!first.stale || !may_repeat) co_return std::move(first.answer);
    Exchange second = co_await exchange(self, shared, true);
    // The first may have taken effect although the second never got out.
    const bool known = second.answer || harmless(shared->request);
    co_return std::move(known ? second.answer : first.answer);
}

HttpClient::HttpClient(Url origin, HttpClientOptions options)
    : impl_(std::make_shared<Impl>(std::move(origin), std::move(options))) {}
HttpClient::~HttpClient() = default;

task<result<HttpResponse>> HttpClient::send(HttpRequest request, Deadline deadline) {
    return Impl::call(impl_, std::move(request), nullptr, deadline);
}

task<result<HttpResponse>> HttpClient::stream(HttpRequest request,
                                              std::function<bool(std::string_view)> sink,
                                              Deadline deadline) {
    return Impl::call(impl_, std::move(request), std::move(sink), deadline);
}

}  // namespace aeterna::net
