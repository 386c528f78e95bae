#include "api/ops/ops_api.hpp"

#include "base/version.hpp"

namespace aeterna::ops {

namespace {

net::HttpResponse json_answer(int status, const json::Object& body) {
    net::HttpResponse response;
    response.status = status;
    response.headers.set("Content-Type", "application/json");
    response.headers.set("Cache-Control", "no-store");
    response.body = json::write(body);
    return response;
}

net::HttpResponse refusal(int status, std::string_view code, std::string_view message) {
    return json_answer(
        status, {{"error", code}, {"message", message}, {"retryable", false}, {"requestId", ""}});
}

}  // namespace

task<net::HttpResponse> OpsApi::handle(net::HttpRequest request) {
    if (request.method != "GET" && request.method != "HEAD") {
        auto response = refusal(405, "method_not_allowed", "this listener only answers GET");
        response.headers.set("Allow", "GET, HEAD");
        co_return response;
    }
    if (request.path == "/health") {
        co_return json_answer(
            200, {{"status", "ok"},
                  {"service", roles_.size() == 1 ? roles_.front() : std::string("aeterna")},
                  {"roles", json::Array(roles_.begin(), roles_.end())},
                  {"version", kVersion}});
    }
    if (request.path == "/live") co_return json_answer(200, {{"status", "ok"}});
    if (request.path == "/ready") {
        const ReadyReport report = co_await ready_();
        const std::string_view word = report.readiness == Readiness::kReady      ? "ready"
                                      : report.readiness == Readiness::kDegraded ? "degraded"
                                                                                 : "not_ready";
        auto response = json_answer(report.readiness == Readiness::kNotReady ? 503 : 200,
                                    {{"status", word}, {"checks", report.checks}});
        if (report.readiness == Readiness::kNotReady) response.headers.set("Retry-After", "1");
        co_return response;
    }
    if (request.path == "/metrics") {
        net::HttpResponse response;
        response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        response.body = metrics_.render();
        co_return response;
    }
    co_return refusal(404, "no_such_route",
                      "this listener has /health, /live, /ready and /metrics");
}

}  // namespace aeterna::ops
