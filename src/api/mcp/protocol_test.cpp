#include "api/mcp/protocol.hpp"

#include <gtest/gtest.h>

#include "api/mcp/test_support.hpp"

namespace aeterna::mcp {
namespace {

using testing::json_of;

struct Recorder final : Outlet {
    std::vector<json::Object> messages;
    task<bool> send(json::Object message) override {
        messages.push_back(std::move(message));
        co_return true;
    }
};

task<Outcome> echo(json::Object arguments, Call call) {
    co_await call.progress(1, 2, "half");
    co_await call.log("info", "working");
    json::Object out = text_result("said");
    out["structuredContent"] = std::move(arguments);
    co_return out;
}

task<Outcome> explode(json::Object, Call) {
    throw std::runtime_error("boom");
    co_return json::Object{};
}

Engine make_engine() {
    Engine engine(EngineOptions{{"test", "Test", "1.0", "be kind"}, {}, 1000, 32});
    engine.add(Tool{.name = "echo",
                    .title = "Echo",
                    .description = "says it again",
                    .input_schema = {{"type", "object"}},
                    .output_schema = {},
                    .annotations = {{"readOnlyHint", true}},
                    .handler = echo,
                    .streams = true,
                    .required_capabilities = {}});
    engine.add(Tool{.name = "explode",
                    .title = "",
                    .description = "",
                    .input_schema = {{"type", "object"}},
                    .output_schema = {},
                    .annotations = {},
                    .handler = explode,
                    .streams = false,
                    .required_capabilities = {}});
    engine.add(Tool{.name = "ask",
                    .title = "",
                    .description = "",
                    .input_schema = {{"type", "object"}},
                    .output_schema = {},
                    .annotations = {},
                    .handler = echo,
                    .streams = false,
                    .required_capabilities = {{"sampling", json::Object{}}}});
    return engine;
}

/// The status and body of one message, JSON text in and out; `headers` null for stdio.
struct Said {
    int status;
    json::Value body;
    [[nodiscard]] int code() const {
        const json::Object* error = object_member(body.as_object(), "error");
        return error == nullptr ? 0 : static_cast<int>(error->at("code").as_int64());
    }
    [[nodiscard]] const json::Object& result() const {
        return body.as_object().at("result").as_object();
    }
};

Said say(const Engine& engine, std::string_view text, const MirroredHeaders* headers = nullptr,
         Outlet* outlet = nullptr) {
    auto value = engine.parse(text);
    if (!value) return {value.error().http_status, *value.error().body};
    auto prepared = engine.prepare(*value, headers);
    Answer answer;
    if (auto* request = std::get_if<Request>(&prepared)) {
        answer = testing::run(engine.run(std::move(*request), security::loopback_principal(),
                                         Deadline::after(std::chrono::seconds(5)), "r-1", outlet));
    } else {
        answer = std::get<Answer>(prepared);
    }
    return {answer.http_status, answer.body ? json::Value(*answer.body) : json::Value()};
}

constexpr std::string_view kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";

std::string stateless(std::string_view method, std::string_view members = "") {
    return fmt::format(R"({{"jsonrpc":"2.0","id":7,"method":"{}","params":{{{}{}{}}}}})", method,
                       members, members.empty() ? "" : ",", kMeta);
}

TEST(McpEnvelope, RefusesWhatIsNotOneMessage) {
    const Engine engine = make_engine();
    EXPECT_EQ(say(engine, "not json").code(), kParseError);
    EXPECT_EQ(say(engine, "").code(), kParseError);
    EXPECT_EQ(say(engine, "\"\xff\"").code(), kParseError);
    EXPECT_EQ(say(engine, "{}").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, "42").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, R"({"jsonrpc":"1.0","id":1,"method":"ping"})").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, R"({"id":1,"method":"ping"})").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":1})").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":1,"method":5})").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":1,"method":""})").code(), kInvalidRequest);
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[1]})").code(),
              kInvalidParams);
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})").code(),
              kInvalidRequest);
    for (const std::string_view id : {"null", "true", "1.5", "{}", "[]", "1e300"}) {
        const auto said =
            say(engine, fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"ping"}})", id));
        EXPECT_EQ(said.code(), kInvalidRequest) << id;
        EXPECT_EQ(said.status, 400) << id;
        EXPECT_FALSE(said.body.as_object().contains("id")) << id;
    }
}

TEST(McpEnvelope, BoundsIdsMethodsAndDepth) {
    const Engine engine = make_engine();
    const auto with_id = [&](std::size_t size) {
        return say(engine, fmt::format(R"({{"jsonrpc":"2.0","id":"{}","method":"ping"}})",
                                       std::string(size, 'x')));
    };
    EXPECT_EQ(with_id(kLongestId).code(), 0);
    EXPECT_EQ(with_id(kLongestId + 1).code(), kInvalidRequest);
    EXPECT_EQ(say(engine, fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"{}"}})",
                                      std::string(kLongestMethod + 1, 'm')))
                  .code(),
              kInvalidRequest);
    const auto nested = [&](std::size_t depth) {
        return say(
            engine,
            fmt::format(
                R"({{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"a":{}{}}}}}}})",
                std::string(depth, '['), std::string(depth, ']')));
    };
    EXPECT_EQ(nested(31).code(), 0);
    EXPECT_EQ(nested(32).code(), kInvalidRequest);
    EXPECT_EQ(nested(100'000).code(), kInvalidRequest);
    const auto largest =
        say(engine, R"({"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"})");
    EXPECT_EQ(json::write(largest.body.at("id")), "18446744073709551615");
}

TEST(McpHandshake, AgreesOnAVersion) {
    const Engine engine = make_engine();
    const auto agreed = [&](std::string_view wanted) {
        const auto said = say(
            engine,
            fmt::format(
                R"({{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"{}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}})",
                wanted));
        return std::string(said.result().at("protocolVersion").as_string());
    };
    EXPECT_EQ(agreed("2025-11-25"), "2025-11-25");
    EXPECT_EQ(agreed("2025-06-18"), "2025-06-18");
    EXPECT_EQ(agreed("2025-03-26"), "2025-03-26");
    EXPECT_EQ(agreed("2024-11-05"), "2025-11-25");
    EXPECT_EQ(agreed("2026-07-28"), "2025-11-25");
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":1,"method":"initialize"})").code(),
              kInvalidParams);
}

TEST(McpHandshake, TellsWhoItIsAndWhatItHas) {
    const Engine engine = make_engine();
    const auto said = say(
        engine,
        R"({"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2025-11-25"}})");
    EXPECT_EQ(
        json::canonical(said.body),
        R"({"id":"a","jsonrpc":"2.0","result":{"capabilities":{"tools":{}},"instructions":"be kind","protocolVersion":"2025-11-25","serverInfo":{"name":"test","title":"Test","version":"1.0"}}})");
    const auto silent = say(engine, R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    EXPECT_EQ(silent.status, 202);
    EXPECT_TRUE(silent.body.is_null());
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","method":"no/such/notification"})").status, 202);
}

TEST(McpMethods, UnknownOnesAreNotFound) {
    const Engine engine = make_engine();
    const auto old = say(engine, R"({"jsonrpc":"2.0","id":1,"method":"prompts/list"})");
    EXPECT_EQ(old.code(), kMethodNotFound);
    EXPECT_EQ(old.status, 200);
    for (const std::string_view removed : {"initialize", "ping", "prompts/list", "x"}) {
        const auto said = say(engine, stateless(removed));
        EXPECT_EQ(said.code(), kMethodNotFound) << removed;
        EXPECT_EQ(said.status, 404) << removed;
        EXPECT_EQ(said.body.at("id").as_int64(), 7) << removed;
    }
}

TEST(McpTools, AreListedInOrderAndOnOnePage) {
    const Engine engine = make_engine();
    const auto said = say(engine, R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}})");
    const json::Array& tools = said.result().at("tools").as_array();
    ASSERT_EQ(tools.size(), 3U);
    EXPECT_EQ(
        json::canonical(tools[0]),
        R"({"annotations":{"readOnlyHint":true},"description":"says it again","inputSchema":{"type":"object"},"name":"echo","title":"Echo"})");
    EXPECT_FALSE(said.result().contains("nextCursor"));
    EXPECT_FALSE(said.result().contains("ttlMs"));
    EXPECT_EQ(
        say(engine, R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}})")
            .code(),
        kInvalidParams);
}

TEST(McpTools, AreCalledWithObjectsOnly) {
    const Engine engine = make_engine();
    const auto call = [&](std::string_view params) {
        return say(
            engine,
            fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}})", params));
    };
    EXPECT_EQ(json::write(
                  call(R"({"name":"echo","arguments":{"x":1}})").result().at("structuredContent")),
              R"({"x":1})");
    EXPECT_EQ(json::write(call(R"({"name":"echo"})").result().at("structuredContent")), "{}");
    EXPECT_EQ(call(R"({"name":"nobody"})").code(), kInvalidParams);
    EXPECT_EQ(call(R"({})").code(), kInvalidParams);
    EXPECT_EQ(call(R"({"name":7})").code(), kInvalidParams);
    EXPECT_EQ(call(R"({"name":"echo","arguments":[1]})").code(), kInvalidParams);
    EXPECT_EQ(call(R"({"name":"explode"})").code(), kInternalError);
}

TEST(McpTools, ReportOnlyWhatWasAskedFor) {
    const Engine engine = make_engine();
    Recorder quiet;
    (void)say(engine, stateless("tools/call", R"("name":"echo")"), nullptr, &quiet);
    EXPECT_TRUE(quiet.messages.empty());

    Recorder loud;
    (void)say(
        engine,
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":"t",
          "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},
          "io.modelcontextprotocol/logLevel":"debug"}}})",
        nullptr, &loud);
    ASSERT_EQ(loud.messages.size(), 2U);
    EXPECT_EQ(
        json::canonical(loud.messages[0]),
        R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"half","progress":1.0,"progressToken":"t","total":2.0}})");
    EXPECT_EQ(loud.messages[1].at("method").as_string(), "notifications/message");

    Recorder errors_only;
    (void)say(engine,
              R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{
          "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},
          "io.modelcontextprotocol/logLevel":"error"}}})",
              nullptr, &errors_only);
    EXPECT_TRUE(errors_only.messages.empty());
}

TEST(McpStateless, DressesEveryResult) {
    const Engine engine = make_engine();
    const auto found = say(engine, stateless("server/discover"));
    EXPECT_EQ(
        json::canonical(found.result()),
        R"({"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"test","title":"Test","version":"1.0"}},"cacheScope":"public","capabilities":{"tools":{}},"instructions":"be kind","resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"],"ttlMs":1000})");
    const auto called = say(engine, stateless("tools/call", R"("name":"echo")"));
    EXPECT_EQ(called.result().at("resultType").as_string(), "complete");
    EXPECT_FALSE(called.result().contains("ttlMs"));
}

TEST(McpStateless, WantsItsMeta) {
    const Engine engine = make_engine();
    const MirroredHeaders headers{"2026-07-28", "server/discover", std::nullopt};
    const auto ask = [&](std::string_view meta) {
        return say(
            engine,
            fmt::format(
                R"({{"jsonrpc":"2.0","id":101,"method":"server/discover","params":{{{}}}}})", meta),
            &headers);
    };
    for (
        const std::string_view meta :
        {"", R"("_meta":{})", R"("_meta":5)",
         R"("_meta":{"io.modelcontextprotocol/clientCapabilities":{}})",
         R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"})",
         R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]})"}) {
        const auto said = ask(meta);
        EXPECT_EQ(said.code(), kInvalidParams) << meta;
        EXPECT_EQ(said.status, 400) << meta;
        EXPECT_EQ(said.body.at("id").as_int64(), 101) << meta;
    }
    EXPECT_EQ(ask(kMeta).code(), 0);
}

TEST(McpStateless, NamesItsVersions) {
    const Engine engine = make_engine();
    const auto said = say(
        engine,
        R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v9","io.modelcontextprotocol/clientCapabilities":{}}}})");
    EXPECT_EQ(said.code(), kUnsupportedVersion);
    EXPECT_EQ(said.status, 400);
    EXPECT_EQ(
        json::canonical(said.body.at("error").at("data")),
        R"({"requested":"v9","supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26"]})");
}

TEST(McpStateless, HoldsHeadersToTheBody) {
    const Engine engine = make_engine();
    const std::string call = stateless("tools/call", R"("name":"echo")");
    const auto code = [&](MirroredHeaders headers) { return say(engine, call, &headers).code(); };
    EXPECT_EQ(code({"2026-07-28", "tools/call", "echo"}), 0);
    EXPECT_EQ(code({"2026-07-28", "tools/call", "=?base64?ZWNobw==?="}), 0);
    EXPECT_EQ(code({std::nullopt, "tools/call", "echo"}), kHeaderMismatch);
    EXPECT_EQ(code({"2025-11-25", "tools/call", "echo"}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", std::nullopt, "echo"}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", "tools/list", "echo"}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", "Tools/Call", "echo"}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", "tools/call", std::nullopt}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", "tools/call", "Echo"}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", "tools/call", "=?base64?ZWNo bw?="}), kHeaderMismatch);
    EXPECT_EQ(code({"2026-07-28", "tools/call", "=?base64?ZWNobw?="}), kHeaderMismatch);
}

TEST(McpStateless, AsksForTheCapabilitiesOfATool) {
    const Engine engine = make_engine();
    const auto said = say(engine, stateless("tools/call", R"("name":"ask")"));
    EXPECT_EQ(said.code(), kMissingClientCapability);
    EXPECT_EQ(said.status, 400);
    EXPECT_EQ(json::write(said.body.at("error").at("data")),
              R"({"requiredCapabilities":{"sampling":{}}})");
}

TEST(McpVersionHeader, OfTheHandshakeRevisions) {
    const Engine engine = make_engine();
    const auto list = [&](std::optional<std::string> version) {
        const MirroredHeaders headers{std::move(version), std::nullopt, std::nullopt};
        return say(engine, R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", &headers);
    };
    EXPECT_EQ(list("2025-11-25").code(), 0);
    EXPECT_EQ(list(std::nullopt).code(), 0);
    EXPECT_EQ(list("1999-01-01").status, 400);
    EXPECT_EQ(list("1999-01-01").code(), kUnsupportedVersion);
}

TEST(McpMirroredValues, ComeBackAsTheyWere) {
    for (const std::string_view value :
         {"us-west1", "Hello, 世界", " padded ", "line1\nline2", "=?base64?literal?=", ""}) {
        EXPECT_EQ(decode_mirrored(encode_mirrored(value)), value);
    }
    EXPECT_EQ(encode_mirrored("Hello, 世界"), "=?base64?SGVsbG8sIOS4lueVjA==?=");
}

TEST(McpResponses, GoToWhoAskedForThem) {
    Engine engine = make_engine();
    std::vector<std::string> heard;
    engine.on_response([&](const json::Object& message) { heard.push_back(json::write(message)); });
    EXPECT_EQ(say(engine, R"({"jsonrpc":"2.0","id":"s-1","result":{"ok":true}})").status, 202);
    ASSERT_EQ(heard.size(), 1U);
    EXPECT_NE(heard[0].find("s-1"), std::string::npos);
}

}  // namespace
}  // namespace aeterna::mcp
