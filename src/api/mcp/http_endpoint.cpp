#include "api/mcp/http_endpoint.hpp"

#include <memory>

#include <fmt/format.h>

#include "api/rest/gate.hpp"
#include "api/rest/reply.hpp"
#include "base/text.hpp"

namespace aeterna::mcp {

namespace {

using rest::Exchange;

constexpr std::size_t kLargestBatch = 50;

std::optional<std::string> header(const Exchange& exchange, std::string_view name) {
    const auto value = exchange.request.headers.find(name);
    if (!value) return std::nullopt;
    return std::string(trim(*value));
}

/// True when an Accept header lets this media type in; no header lets everything in.
bool accepts(const Exchange& exchange, std::string_view wanted) {
    const auto accept = exchange.request.headers.find("Accept");
    if (!accept) return true;
    std::string_view left = *accept;
    while (!left.empty()) {
        const std::size_t end = std::min(left.find(','), left.size());
        const std::string range = rest::media_type(left.substr(0, end));
        left.remove_prefix(std::min(end + 1, left.size()));
        const bool whole_type =
            range.ends_with("/*") &&
            wanted.starts_with(std::string_view(range).substr(0, range.size() - 1));
        if (range == "*/*" || range == wanted || whole_type) return true;
    }
    return false;
}

net::HttpResponse to_response(Answer answer) {
    if (answer.body) return rest::json_response(answer.http_status, *answer.body);
    net::HttpResponse response;
    response.status = answer.http_status;
    return response;
}

net::HttpResponse refusal(int status, std::string message) {
    return rest::json_response(
        status, error_message(nullptr, {kInvalidRequest, std::move(message), nullptr, status}));
}

std::string event_of(const json::Object& message) {
    return fmt::format("event: message\ndata: {}\n\n", json::write(message));
}

class StreamOutlet final : public Outlet {
  public:
    explicit StreamOutlet(net::BodyWriter& writer) : writer_(writer) {}
    task<bool> send(json::Object message) override {
        co_return (co_await writer_.write(event_of(message))).has_value();
    }

  private:
    net::BodyWriter& writer_;
};

/// What a streamed call needs after the route has returned.
struct StreamedCall {
    const Engine& engine;
    Request request;
    security::Principal caller;
    Deadline deadline;
    std::string request_id;
};

task<void> run_streamed(std::shared_ptr<StreamedCall> call, net::BodyWriter& writer) {
    StreamOutlet outlet(writer);
    Answer answer = co_await call->engine.run(std::move(call->request), std::move(call->caller),
                                              call->deadline, call->request_id, &outlet);
    if (answer.body) (void)co_await outlet.send(std::move(*answer.body));
}

task<net::HttpResponse> post_batch(const Engine& engine, Exchange exchange, json::Array batch,
                                   MirroredHeaders headers) {
    if (headers.version.value_or(std::string(kOldest)) != kOldest)
        co_return refusal(400, "send one message at a time: this revision has no batches");
    if (batch.empty() || batch.size() > kLargestBatch)
        co_return refusal(400, fmt::format("a batch holds 1 to {} messages", kLargestBatch));
    json::Array answers;
    for (const json::Value& value : batch) {
        auto prepared = engine.prepare(value, &headers);
        Answer answer;
        if (auto* request = std::get_if<Request>(&prepared)) {
            answer = co_await engine.run(std::move(*request), exchange.caller, exchange.deadline,
                                         exchange.request_id, nullptr);
        } else {
            answer = std::get<Answer>(std::move(prepared));
        }
        if (answer.body) answers.push_back(std::move(*answer.body));
    }
    if (answers.empty()) co_return to_response({202, std::nullopt});
    co_return rest::json_response(200, answers);
}

task<net::HttpResponse> post(const Engine& engine, Exchange exchange) {
    const std::string type =
        rest::media_type(exchange.request.headers.find("Content-Type").value_or(""));
    if (type != "application/json") {
        co_return rest::error_response(
            Error(Code::kUnsupportedMedia, "content_type",
                  fmt::format("send Content-Type: application/json, not \"{}\"",
                              cut_utf8(type, 100))),
            exchange.request_id);
    }
    const bool takes_json = accepts(exchange, "application/json");
    const bool takes_events = accepts(exchange, "text/event-stream");
    if (!takes_json) {
        co_return refusal(406,
                          "the Accept header must list application/json and text/event-stream");
    }
    auto value = engine.parse(exchange.request.body);
    if (!value) co_return to_response(std::move(value).error());
    const MirroredHeaders headers{header(exchange, "MCP-Protocol-Version"),
                                  header(exchange, "Mcp-Method"), header(exchange, "Mcp-Name")};
    if (value->is_array()) {
        co_return co_await post_batch(engine, std::move(exchange), std::move(value->get_array()),
                                      headers);
    }
    auto prepared = engine.prepare(*value, &headers);
    if (auto* answer = std::get_if<Answer>(&prepared)) co_return to_response(std::move(*answer));
    Request& request = std::get<Request>(prepared);
    if (!request.streams || !takes_events) {
        co_return to_response(co_await engine.run(std::move(request), std::move(exchange.caller),
                                                  exchange.deadline, std::move(exchange.request_id),
                                                  nullptr));
    }
    auto call = std::make_shared<StreamedCall>(
        StreamedCall{engine, std::move(request), std::move(exchange.caller), exchange.deadline,
                     std::move(exchange.request_id)});
    net::HttpResponse response;
    response.headers.set("Content-Type", "text/event-stream");
    response.headers.set("Cache-Control", "no-cache");
    response.headers.set("X-Accel-Buffering", "no");
    response.stream = [call](net::BodyWriter& writer) { return run_streamed(call, writer); };
    co_return response;
}

}  // namespace

void add_mcp_routes(rest::RestApi& api, const Engine& engine) {
    api.add("POST", "/mcp", rest::RouteKind::kWrite,
            [&engine](Exchange exchange) { return post(engine, std::move(exchange)); });
}

}  // namespace aeterna::mcp
