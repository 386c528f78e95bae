#include "api/mcp/http_endpoint.hpp"

#include <gtest/gtest.h>

#include "api/mcp/test_support.hpp"

namespace aeterna::mcp {
namespace {

/// The pieces of a streamed answer.
class Collector final : public net::BodyWriter {
  public:
    std::vector<std::string> pieces;
    task<result<void>> write(std::string piece) override {
        pieces.push_back(std::move(piece));
        co_return result<void>{};
    }
};

task<Outcome> reports(json::Object, Call call) {
    co_await call.progress(1, 1, "");
    co_return text_result("done");
}

task<net::HttpResponse> ask(rest::RestApi& api, net::HttpRequest request) {
    co_return co_await api.handle(std::move(request));
}

task<bool> drain(net::HttpResponse& response, net::BodyWriter& writer) {
    co_await response.stream(writer);
    co_return true;
}

class McpEndpoint : public ::testing::Test {
  protected:
    McpEndpoint() {
        Tool tool;
        tool.name = "reports";
        tool.input_schema = {{"type", "object"}};
        tool.handler = reports;
        tool.streams = true;
        engine.add(std::move(tool));
        add_mcp_routes(api, engine);
    }

    net::HttpResponse send(std::string_view body,
                           std::vector<std::pair<std::string, std::string>> headers = {},
                           std::string method = "POST") {
        net::HttpRequest request;
        request.method = std::move(method);
        request.target = request.path = "/mcp";
        request.body = body;
        request.peer = {"127.0.0.1", 5000};
        request.arrived = std::chrono::steady_clock::now();
        request.headers.set("Host", "127.0.0.1:8080");
        request.headers.set("Content-Type", "application/json");
        request.headers.set("Accept", "application/json, text/event-stream");
        for (auto& [name, value] : headers) request.headers.set(name, std::move(value));
        return testing::run(ask(api, std::move(request)));
    }

    testing::NoKeys keys;
    testing::StillClock clock;
    rest::Gate gate{keys, clock, {true, {}, {}}};
    rest::RestApi api{gate, clock, {}};
    Engine engine{EngineOptions{{"test", "", "1", ""}, {}, 1000, 32}};
};

constexpr std::string_view kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";

TEST_F(McpEndpoint, AnswersOneMessageWithJson) {
    const auto response = send(kPing);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.find("Content-Type"), "application/json");
    EXPECT_EQ(response.body, R"({"jsonrpc":"2.0","id":1,"result":{}})");
    EXPECT_FALSE(response.headers.find("Mcp-Session-Id"));
    EXPECT_EQ(send(kPing, {{"Mcp-Session-Id", "anything"}}).status, 200);
    EXPECT_EQ(send(kPing, {{"Accept", "*/*"}}).status, 200);
    EXPECT_EQ(send(kPing, {{"Content-Type", "application/json; charset=utf-8"}}).status, 200);
}

TEST_F(McpEndpoint, AcceptsNotificationsWithoutABody) {
    const auto response = send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    EXPECT_EQ(response.status, 202);
    EXPECT_TRUE(response.body.empty());
}

TEST_F(McpEndpoint, HasNoServerStreamAndNoSessions) {
    for (const std::string method : {"GET", "DELETE", "PUT"}) {
        const auto response = send("", {}, method);
        EXPECT_EQ(response.status, 405) << method;
        EXPECT_EQ(response.headers.find("Allow"), "POST") << method;
    }
}

TEST_F(McpEndpoint, RefusesForeignPagesHostsAndTypes) {
    EXPECT_EQ(send(kPing, {{"Origin", "http://evil.example"}}).status, 403);
    EXPECT_EQ(send(kPing, {{"Host", "evil.example"}}).status, 403);
    EXPECT_EQ(send(kPing, {{"Origin", "http://localhost:3000"}}).status, 200);
    EXPECT_EQ(send(kPing, {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_EQ(send(kPing, {{"Content-Type", "application/x-ndjson"}}).status, 415);
    EXPECT_EQ(send(kPing, {{"Accept", "text/html"}}).status, 406);
    EXPECT_EQ(send(kPing, {{"Authorization", "Bearer nonsense"}}).status, 401);
}

TEST_F(McpEndpoint, SaysWhatIsWrongWithAMessage) {
    EXPECT_EQ(send("{").status, 400);
    EXPECT_NE(send("{").body.find("-32700"), std::string::npos);
    EXPECT_EQ(send("").status, 400);
    EXPECT_EQ(send(R"({"jsonrpc":"2.0","id":1,"method":"none"})").status, 200);
    EXPECT_EQ(send(kPing, {{"MCP-Protocol-Version", "1.0"}}).status, 400);
}

TEST_F(McpEndpoint, TakesBatchesOfTheOldestRevisionOnly) {
    const std::string batch = fmt::format(
        R"([{},{{"jsonrpc":"2.0","method":"notifications/initialized"}},{{"jsonrpc":"2.0","id":2,"method":"none"}}])",
        kPing);
    const auto response = send(batch, {{"MCP-Protocol-Version", "2025-03-26"}});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(testing::json_of(response.body).as_array().size(), 2U);
    EXPECT_EQ(send(batch, {{"MCP-Protocol-Version", "2025-11-25"}}).status, 400);
    EXPECT_EQ(send("[]").status, 400);
    EXPECT_EQ(send(R"([{"jsonrpc":"2.0","method":"notifications/initialized"}])").status, 202);
    std::string many = "[";
    for (int i = 0; i < 51; ++i) many += std::string(i == 0 ? "" : ",") + std::string(kPing);
    EXPECT_EQ(send(many + "]").status, 400);
}

TEST_F(McpEndpoint, StreamsWhenAToolReports) {
    const std::string call =
        R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"reports","_meta":{"progressToken":1}}})";
    auto response = send(call);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.headers.find("Content-Type"), "text/event-stream");
    EXPECT_EQ(response.headers.find("X-Accel-Buffering"), "no");
    ASSERT_TRUE(response.stream);
    Collector collector;
    EXPECT_TRUE(testing::run(drain(response, collector)));
    ASSERT_EQ(collector.pieces.size(), 2U);
    EXPECT_TRUE(collector.pieces[0].starts_with("event: message\ndata: {"));
    EXPECT_NE(collector.pieces[0].find("notifications/progress"), std::string::npos);
    EXPECT_NE(collector.pieces[1].find(R"("id":3,"result")"), std::string::npos);
    EXPECT_TRUE(collector.pieces[1].ends_with("\n\n"));

    const auto plain = send(call, {{"Accept", "application/json"}});
    EXPECT_FALSE(plain.stream);
    EXPECT_NE(plain.body.find("done"), std::string::npos);
}

}  // namespace
}  // namespace aeterna::mcp
