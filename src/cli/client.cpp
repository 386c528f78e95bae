#include "cli/client.hpp"

#include <array>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/version.hpp"
#include "cli/retry.hpp"
#include "runtime/runtime.hpp"
#include "service/wait.hpp"

namespace aeterna::cli {

namespace {

using std::chrono::milliseconds;

double random_share() {
    std::array<std::uint8_t, 4> bytes{};
    fill_random(bytes);
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    return static_cast<double>(value) / static_cast<double>(UINT32_MAX);
}

std::optional<milliseconds> retry_after(const net::HttpResponse& response) {
    const auto text = response.headers.find("Retry-After");
    if (!text) return std::nullopt;
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
    return milliseconds(1000LL * std::min(seconds, 86'400U));
}

}  // namespace

struct Client::Impl {
    explicit Impl(Server given)
        : server(std::move(given)),
          runtime(Runtime::Options{1, 1}),
          http(std::make_unique<net::HttpClient>(server.url, net::HttpClientOptions{})) {}
    ~Impl() {
        // Sockets belong to the loop, so the loop ends first.
        runtime.stop();
        http.reset();
    }

    [[nodiscard]] net::HttpRequest request_of(Call& call) const {
        net::HttpRequest request;
        request.method = call.method;
        request.target = call.target;
        const std::size_t mark = std::min(call.target.find('?'), call.target.size());
        request.path = call.target.substr(0, mark);
        if (mark < call.target.size()) request.query = call.target.substr(mark + 1);
        for (auto& header : call.headers) request.headers.add(header.name, header.value);
        request.headers.set("Accept", "application/json");
        request.headers.set("User-Agent", fmt::format("aeterna/{}", kVersion));
        if (!server.token.empty()) request.headers.set("Authorization", "Bearer " + server.token);
        if (call.keyed) {
            request.headers.set("Idempotency-Key",
                                system_uuid_source().next(SystemClock().now()).str());
        }
        if (!call.text.empty()) {
            request.headers.set("Content-Type", "application/x-ndjson");
            request.body = std::move(call.text);
        } else if (!call.body.is_null()) {
            request.headers.set("Content-Type", "application/json");
            request.body = json::write(call.body);
        }
        return request;
    }

    [[nodiscard]] Error explain(const Error& error) const {
        const std::string where =
            fmt::format("{}://{}", server.url.tls ? "https" : "http", server.url.authority());
        switch (error.code) {
            case Code::kUnavailable:
                return {error.code, "no_server",
                        fmt::format("no server at {}: start one with `aeterna serve` ({})", where,
                                    error.message)};
            case Code::kDeadlineExceeded:
                return {error.code, "deadline_exceeded",
                        fmt::format("{} did not answer within {} ms (--timeout)", where,
                                    server.timeout.count())};
            case Code::kOutcomeUnknown:
                return {error.code, "outcome_unknown",
                        fmt::format("the connection to {} broke; it is not known whether the "
                                    "request took effect ({})",
                                    where, error.message)};
            default:
                return error;
        }
    }

    Server server;
    Runtime runtime;
    std::unique_ptr<net::HttpClient> http;
    std::function<void(std::string_view)> listener;
};

namespace {

task<result<net::HttpResponse>> attempt(net::HttpClient& http, net::HttpRequest request,
                                        Deadline deadline) {
    request.headers.set("X-Request-Timeout",
                        std::to_string(std::max<milliseconds::rep>(deadline.left().count(), 1)));
    co_return co_await http.send(std::move(request), deadline);
}

task<result<net::HttpResponse>> repeat(net::HttpClient& http, net::HttpRequest request,
                                       bool repeatable, Deadline deadline,
                                       std::function<void(std::string_view)> listener) {
    Retry retry(repeatable);
    for (;;) {
        auto answer = co_await attempt(http, request, deadline);
        AttemptEnd end;
        if (answer) {
            end.status = answer->status;
            end.retry_after = retry_after(*answer);
        } else {
            end.broken = answer.error().code;
        }
        const auto step = retry.step(end, deadline.left(), random_share());
        if (step.next == Retry::Next::kDone) co_return answer;
        if (listener) {
            listener(answer ? fmt::format("the server answered {}; trying again", answer->status)
                            : std::string("the connection failed; trying again"));
        }
        if (!co_await sleep_for(step.wait)) co_return answer;
    }
}

}  // namespace

Client::Client(Server server) : impl_(std::make_unique<Impl>(std::move(server))) {}
Client::~Client() = default;

result<net::HttpResponse> Client::call(Call call) {
    const bool repeatable = call.repeatable;
    auto answer = service::run_and_wait(
        impl_->runtime, repeat(*impl_->http, impl_->request_of(call), repeatable,
                               Deadline::after(impl_->server.timeout), impl_->listener));
    if (!answer) return fail(impl_->explain(answer.error()));
    return answer;
}

result<net::HttpResponse> Client::stream(Call call, std::function<bool(std::string_view)> sink) {
    auto answer = service::run_and_wait(
        impl_->runtime, impl_->http->stream(impl_->request_of(call), std::move(sink),
                                            Deadline::after(impl_->server.timeout)));
    if (!answer) return fail(impl_->explain(answer.error()));
    return answer;
}

void Client::on_wait(std::function<void(std::string_view)> listener) {
    impl_->listener = std::move(listener);
}

}  // namespace aeterna::cli
