#include "memory/ranking.hpp"

#include <gtest/gtest.h>

#include "memory/requests.hpp"

namespace aeterna::memory {
namespace {

const Timestamp kNow = *parse_rfc3339("2026-11-23T10:00:00Z");

Candidate candidate(std::uint8_t number, Layer layer, std::uint32_t lexical, std::uint32_t vector) {
    Candidate out;
    out.id.value.bytes[15] = number;
    out.layer = layer;
    out.updated_at = kNow;
    out.lexical_rank = lexical;
    out.bm25 = lexical == 0 ? 0.0F : 10.0F / static_cast<float>(lexical);
    out.vector_rank = vector;
    if (vector != 0) out.cosine = 1.0F / static_cast<float>(vector);
    return out;
}

Candidates among(std::vector<Candidate> items) {
    Candidates out;
    out.items = std::move(items);
    out.vector_ranking = true;
    return out;
}

TEST(Ranking, FirstInBothIsNearlyOne) {
    const auto ranked =
        rank(among({candidate(1, Layer::kUser, 1, 1), candidate(2, Layer::kUser, 2, 0)}), 0, kNow);
    ASSERT_EQ(ranked.size(), 2U);
    EXPECT_EQ(ranked[0].candidate, 0U);
    EXPECT_DOUBLE_EQ(ranked[0].score, 1.0);
    EXPECT_LT(ranked[1].score, 0.6);
    EXPECT_GT(ranked[1].score, 0.0);
}

TEST(Ranking, OnATieTheMoreSpecificLayerWins) {
    // The same text in two layers: equal scores in both rankings, whatever order the ranks gave
    // them.
    auto company = candidate(1, Layer::kCompany, 1, 1);
    auto agent = candidate(2, Layer::kAgent, 2, 2);
    agent.bm25 = company.bm25;
    agent.cosine = company.cosine;
    const auto ranked = rank(among({company, agent}), 0, kNow);
    EXPECT_EQ(ranked[0].candidate, 1U);
    EXPECT_DOUBLE_EQ(ranked[0].score, ranked[1].score);
}

TEST(Ranking, DecaysByTheDayAtTheRateOfTheLayer) {
    auto old_agent = candidate(1, Layer::kAgent, 1, 1);
    old_agent.updated_at = kNow - std::chrono::days(10);
    const auto ranked = rank(among({old_agent}), 0, kNow);
    EXPECT_NEAR(ranked[0].decay, std::pow(0.9, 10), 1e-9);
    auto old_company = old_agent;
    old_company.layer = Layer::kCompany;
    EXPECT_NEAR(rank(among({old_company}), 0, kNow)[0].decay, std::pow(0.998, 10), 1e-9);
}

TEST(Ranking, ImportanceLiftsAndTheThresholdCuts) {
    auto plain = candidate(1, Layer::kUser, 1, 2);
    auto important = candidate(2, Layer::kUser, 2, 1);
    important.bm25 = plain.bm25 = 5;
    important.cosine = plain.cosine = 0.5F;
    important.importance = 1;
    const auto ranked = rank(among({plain, important}), 0, kNow);
    EXPECT_EQ(ranked[0].candidate, 1U);
    EXPECT_TRUE(rank(among({candidate(1, Layer::kUser, 50, 0)}), 0.9, kNow).empty());
}

TEST(Ranking, FoldsNearDuplicatesUnderTheBest) {
    const std::vector<float> one{1, 0, 0, 0};
    const std::vector<float> near{0.99F, 0.1F, 0, 0};
    const std::vector<float> far{0, 1, 0, 0};
    auto a = candidate(1, Layer::kUser, 1, 1);
    auto b = candidate(2, Layer::kUser, 2, 2);
    auto c = candidate(3, Layer::kUser, 3, 3);
    a.vector = retrieval::pack(one);
    b.vector = retrieval::pack(near);
    c.vector = retrieval::pack(far);
    const auto ranked = rank(among({a, b, c}), 0, kNow);
    ASSERT_EQ(ranked.size(), 2U);
    ASSERT_EQ(ranked[0].folded.size(), 1U);
    EXPECT_EQ(ranked[0].folded[0], b.id);
    EXPECT_TRUE(ranked[1].folded.empty());
}

TEST(Ranking, WithoutVectorsTheWordsAloneReachOne) {
    Candidates lexical_only = among({candidate(1, Layer::kUser, 1, 0)});
    lexical_only.vector_ranking = false;
    EXPECT_DOUBLE_EQ(rank(lexical_only, 0, kNow)[0].score, 1.0);
}

TEST(Requests, ReadAndRefuse) {
    const auto reason = [](std::string_view body) {
        auto parsed = json::parse_object(body);
        auto request = read_add(*parsed, {});
        return request ? "ok" : std::string(request.error().machine_code());
    };
    EXPECT_EQ(reason(R"({"content":" x ","layer":"user","identifiers":{"userId":"a"}})"), "ok");
    EXPECT_EQ(reason(R"({"layer":"user"})"), "missing_field");
    EXPECT_EQ(reason(R"({"content":"  ","layer":"user"})"), "empty_content");
    EXPECT_EQ(reason(R"({"content":"x","layer":"planet"})"), "invalid_layer");
    EXPECT_EQ(reason(R"({"content":"x","layer":"user","identifiers":{"userId":""}})"),
              "bad_identifier");
    EXPECT_EQ(reason(R"({"content":"x","layer":"user","identifiers":{"userID":"a"}})"),
              "unknown_field");
    EXPECT_EQ(reason(R"({"content":"x","layer":"user","importance":1.5})"), "out_of_range");
    EXPECT_EQ(reason(R"({"content":"x","layer":"user","metadata":{"tags":"t"}})"), "wrong_type");
    EXPECT_EQ(reason(R"({"content":"x","layer":"user","expiresAt":"tomorrow"})"), "wrong_type");
    EXPECT_EQ(reason(R"({"content":"x","layer":"user","tenant":"other"})"), "unknown_field");
    EXPECT_EQ(reason("{\"content\":\"" + std::string(64 * 1024 + 1, 'x') + R"(","layer":"user"})"),
              "too_large");
}

TEST(Requests, ABadOperationKeepsItsPlaceInABatch) {
    auto body = json::parse_object(R"({"operations":[{"op":"add","content":"x","layer":"user",
        "identifiers":{"userId":"a"}},{"op":"fly"},{"op":"delete","id":"01900000-0000-7000-8000-000000000001"}]})");
    auto items = read_batch(*body, {});
    ASSERT_TRUE(items);
    ASSERT_EQ(items->size(), 3U);
    EXPECT_TRUE((*items)[0]);
    EXPECT_FALSE((*items)[1]);
    EXPECT_TRUE(std::holds_alternative<DeleteRequest>(*(*items)[2]));
}

TEST(Requests, CursorsComeBackAsTheyWent) {
    const MemoryId id{*Uuid::parse("01900000-0000-7000-8000-0000000000ff")};
    EXPECT_EQ(decode_cursor(encode_cursor(id)), id);
    EXPECT_FALSE(decode_cursor("nonsense!"));
    EXPECT_FALSE(decode_cursor(""));
}

}  // namespace
}  // namespace aeterna::memory
