#include "api/mcp/memory_tools.hpp"

#include <gtest/gtest.h>

#include "api/mcp/test_support.hpp"

namespace aeterna::mcp {
namespace {

using testing::json_of;

class MemoryTools : public ::testing::Test {
  protected:
    testing::VectorStore store;
    testing::WordIndex index{store};
    testing::NoEmbedder embedder;
    testing::StillClock clock;
    memory::MemoryService service{{store, index, embedder, clock, system_uuid_source()}, {}};
    std::unique_ptr<Engine> engine = make_memory_engine(service);
    security::Principal caller = security::loopback_principal();

    json::Object call(std::string_view tool, std::string_view arguments) {
        json::Value message{{"jsonrpc", "2.0"},
                            {"id", 1},
                            {"method", "tools/call"},
                            {"params", {{"name", tool}, {"arguments", json_of(arguments)}}}};
        auto prepared = engine->prepare(message, nullptr);
        if (auto* answer = std::get_if<Answer>(&prepared)) return *answer->body;
        const Answer answer =
            testing::run(engine->run(std::get<Request>(std::move(prepared)), caller,
                                     Deadline::after(std::chrono::seconds(5)), "req-9", nullptr));
        return answer.body->at("result").as_object();
    }
    static std::string text(const json::Object& result) {
        return std::string(result.at("content").at(0).at("text").as_string());
    }
    static std::string refusal(const json::Object& result) {
        if (!result.contains("isError")) return "ok";
        return std::string(result.at("structuredContent").at("error").as_string());
    }
    std::string add(std::string_view content) {
        const auto result = call("memory_add", json::write(json::Object{{"content", content}}));
        return std::string(result.at("structuredContent").at("memoryId").as_string());
    }
};

TEST_F(MemoryTools, AreListedWithStrictSchemas) {
    std::vector<std::string> names;
    for (const Tool& tool : engine->tools()) {
        names.push_back(tool.name);
        EXPECT_EQ(tool.input_schema.at("type").as_string(), "object") << tool.name;
        EXPECT_FALSE(tool.input_schema.at("additionalProperties").as_bool()) << tool.name;
        EXPECT_EQ(tool.output_schema.at("type").as_string(), "object") << tool.name;
        EXPECT_GT(tool.description.size(), 50U) << tool.name;
        for (const auto& property : tool.input_schema.at("properties").as_object()) {
            const auto& shape = property.value().as_object();
            EXPECT_TRUE(shape.contains("type")) << tool.name << '.' << property.key();
        }
    }
    EXPECT_EQ(names, (std::vector<std::string>{"memory_add", "memory_search", "memory_get",
                                               "memory_update", "memory_delete", "memory_feedback",
                                               "memory_promote"}));
}

TEST_F(MemoryTools, AddNeedsOnlyContent) {
    const auto result = call("memory_add", R"({"content":"Maria prefers tabs"})");
    EXPECT_EQ(refusal(result), "ok");
    ASSERT_EQ(store.rows.size(), 1U);
    EXPECT_EQ(store.rows[0].memory.layer, memory::Layer::kUser);
    EXPECT_EQ(store.rows[0].memory.identifiers.user_id, "local");
    EXPECT_EQ(result.at("structuredContent").at("memory").at("content").as_string(),
              "Maria prefers tabs");
    EXPECT_NE(text(result).find(store.rows[0].memory.id.str()), std::string::npos);
}

TEST_F(MemoryTools, AddOfTheSameReinforces) {
    const std::string first = add("The build uses ninja");
    const auto again = call("memory_add", R"({"content":" The build uses ninja "})");
    EXPECT_EQ(again.at("structuredContent").at("memoryId").as_string(), first);
    EXPECT_TRUE(again.at("structuredContent").at("reinforced").as_bool());
    EXPECT_NE(text(again).find("Already known"), std::string::npos);
    EXPECT_EQ(store.rows.size(), 1U);
}

TEST_F(MemoryTools, AddToASharedLayerNeedsItsIdentifier) {
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"x","layer":"project"})")),
              "missing_identifier");
    EXPECT_EQ(
        refusal(call("memory_add",
                     R"({"content":"x","layer":"project","identifiers":{"projectId":"apollo"}})")),
        "ok");
    EXPECT_EQ(store.rows.at(0).memory.identifiers.project_id, "apollo");
    EXPECT_EQ(store.rows.at(0).memory.identifiers.user_id, "");
}

TEST_F(MemoryTools, RefuseWhatRestRefuses) {
    EXPECT_EQ(refusal(call("memory_add", R"({})")), "missing_field");
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"  "})")), "empty_content");
    EXPECT_EQ(refusal(call("memory_add", R"({"content":5})")), "wrong_type");
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"x","colour":"red"})")), "unknown_field");
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"x","layer":"galaxy"})")), "invalid_layer");
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"x","identifiers":[]})")), "wrong_type");
    EXPECT_EQ(refusal(call("memory_search", R"({"query":"x","limit":0})")), "out_of_range");
    EXPECT_EQ(refusal(call("memory_get", R"({})")), "missing_field");
    EXPECT_EQ(refusal(call("memory_get", R"({"memoryId":7})")), "wrong_type");
    EXPECT_EQ(refusal(call("memory_get", R"({"memoryId":"seven"})")), "bad_id");
    EXPECT_EQ(
        refusal(call("memory_get", R"({"memoryId":"01890000-0000-7000-8000-000000000000","x":1})")),
        "unknown_field");
    EXPECT_EQ(refusal(call("memory_get", R"({"memoryId":"01890000-0000-7000-8000-000000000000"})")),
              "memory_not_found");
    EXPECT_TRUE(store.rows.empty());
}

TEST_F(MemoryTools, RefusalsCarryTheErrorBody) {
    const auto result = call("memory_add", R"({"content":""})");
    EXPECT_TRUE(result.at("isError").as_bool());
    const json::Object& body = result.at("structuredContent").as_object();
    EXPECT_FALSE(body.at("retryable").as_bool());
    EXPECT_EQ(body.at("requestId").as_string(), "req-9");
    EXPECT_NE(text(result).find(std::string_view(body.at("message").as_string())),
              std::string::npos);
    store.trouble = Error(Code::kStorageFull, "the disk is full");
    EXPECT_TRUE(call("memory_add", R"({"content":"x"})").at("isError").as_bool());
}

TEST_F(MemoryTools, SearchLooksInTheCallersOwnLayer) {
    const std::string id = add("Maria prefers tabs");
    const auto result = call("memory_search", R"({"query":"Maria likes what?"})");
    ASSERT_EQ(refusal(result), "ok");
    ASSERT_EQ(index.asked.size(), 1U);
    EXPECT_EQ(index.asked[0].layer, memory::Layer::kUser);
    const json::Array& items = result.at("structuredContent").at("items").as_array();
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].at("memory").at("id").as_string(), id);
    const std::string said = text(result);
    for (const std::string_view part : {"1. Maria prefers tabs", "[user]", "2026-11-23", "score"})
        EXPECT_NE(said.find(part), std::string::npos) << said;
    EXPECT_NE(said.find(id), std::string::npos);
    EXPECT_EQ(text(call("memory_search", R"({"query":"zebra"})")), "No memory matches.");
}

TEST_F(MemoryTools, SearchWithAProjectLooksThereToo) {
    (void)call("memory_search", R"({"query":"x","identifiers":{"projectId":"apollo"}})");
    ASSERT_EQ(index.asked.size(), 2U);
    EXPECT_EQ(index.asked[0].layer, memory::Layer::kUser);
    EXPECT_EQ(index.asked[1].layer, memory::Layer::kProject);
}

TEST_F(MemoryTools, UpdateFeedbackPromoteDelete) {
    const std::string id = add("The office is in Berlin");
    const auto changed =
        call("memory_update",
             fmt::format(R"({{"memoryId":"{}","content":"The office is in Bonn"}})", id));
    EXPECT_EQ(changed.at("structuredContent").at("version").as_int64(), 2);
    EXPECT_EQ(refusal(call("memory_update",
                           fmt::format(R"({{"memoryId":"{}","importance":1,"ifVersion":1}})", id))),
              "version_mismatch");
    const auto judged =
        call("memory_feedback",
             fmt::format(R"({{"memoryId":"{}","rewardType":"helpful","score":1}})", id));
    EXPECT_DOUBLE_EQ(judged.at("structuredContent").at("importance").as_double(), 0.75);
    const auto shared = call(
        "memory_promote",
        fmt::format(
            R"({{"memoryId":"{}","targetLayer":"project","identifiers":{{"projectId":"apollo"}}}})",
            id));
    EXPECT_EQ(shared.at("structuredContent").at("layer").as_string(), "project");
    const auto gone = call("memory_delete", fmt::format(R"({{"memoryId":"{}"}})", id));
    EXPECT_TRUE(gone.at("structuredContent").at("deleted").as_bool());
    EXPECT_EQ(refusal(call("memory_get", fmt::format(R"({{"memoryId":"{}"}})", id))),
              "memory_not_found");
    EXPECT_EQ(refusal(call("memory_delete", fmt::format(R"({{"memoryId":"{}"}})", id))), "ok");
}

TEST_F(MemoryTools, OneKeyOneEffect) {
    const std::string with_key = R"({"content":"once","idempotencyKey":"k-1"})";
    const auto first = call("memory_add", with_key);
    const auto again = call("memory_add", with_key);
    EXPECT_EQ(store.writes, 1U);
    EXPECT_EQ(json::write(first.at("structuredContent")),
              json::write(again.at("structuredContent")));
    EXPECT_TRUE(again.at("_meta").at("aeterna/replayed").as_bool());
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"other","idempotencyKey":"k-1"})")),
              "idempotency_key_reused");
    EXPECT_EQ(refusal(call("memory_add", R"({"idempotencyKey":"k-1","content":"once"})")), "ok");
    for (const std::string_view bad : {R"("")", R"("a b")", R"("é")", "5", "null"}) {
        EXPECT_EQ(refusal(call("memory_add",
                               fmt::format(R"({{"content":"y","idempotencyKey":{}}})", bad))),
                  "bad_idempotency_key")
            << bad;
    }
    EXPECT_EQ(store.rows.size(), 1U);
}

TEST_F(MemoryTools, TheCallerIsWhoTheTokenSays) {
    caller = {TenantId("acme"), Subject("alice"), {security::Role::kDeveloper}};
    (void)add("mine");
    EXPECT_EQ(store.rows.at(0).memory.identifiers.user_id, "alice");
    EXPECT_EQ(store.rows.at(0).scope.tenant, TenantId("acme"));
    EXPECT_EQ(refusal(call("memory_add", R"({"content":"x","identifiers":{"userId":"bob"}})")),
              "not_your_memory");
}

}  // namespace
}  // namespace aeterna::mcp
