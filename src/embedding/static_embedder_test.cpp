#include "embedding/static_embedder.hpp"

#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include <gtest/gtest.h>

#include "embedding/sts_eval.hpp"

namespace aeterna::embedding {
namespace {

using Vector = std::array<float, StaticEmbedder::kDimensions>;

class StaticEmbedderTest : public testing::Test {
  protected:
    Vector embedded(std::string_view text) const {
        Vector out;
        embedder_->embed_text(text, out);
        return out;
    }
    double similarity(std::string_view a, std::string_view b) const {
        const auto x = embedded(a);
        const auto y = embedded(b);
        return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
    }
    static result<std::vector<retrieval::PackedVector>> run(memory::Embedder& embedder,
                                                            std::vector<std::string> texts,
                                                            Deadline deadline) {
        asio::io_context loop;
        std::optional<result<std::vector<retrieval::PackedVector>>> out;
        asio::co_spawn(loop, embedder.embed(std::move(texts), deadline),
                       [&](std::exception_ptr, auto answer) { out.emplace(std::move(answer)); });
        auto guard = asio::make_work_guard(loop);
        while (!out) loop.run_one();
        return std::move(*out);
    }
    static Deadline soon() { return Deadline::after(std::chrono::seconds(30)); }

    std::unique_ptr<StaticEmbedder> embedder_ = StaticEmbedder::open().value();
};

TEST_F(StaticEmbedderTest, IdentityNamesTheTable) {
    const auto hash = to_hex(compiled_in_table()->hash());
    EXPECT_EQ(embedder_->identity().name, "minilm-static-256@" + hash.substr(0, 12));
    EXPECT_EQ(embedder_->identity().dimensions, 256U);
}

TEST_F(StaticEmbedderTest, IsTheNormalisedSumOfScaledRows) {
    const auto table = compiled_in_table().value();
    std::array<double, 256> want{};
    for (const std::string_view word : {"dark", "mode"}) {
        StepwiseHash hash;
        for (const char c : word) hash.step(c);
        const TokenId id = table.find(hash.folded(), word, false).value();
        for (std::size_t i = 0; i < 256; ++i) {
            want[i] += static_cast<double>(table.scale(id)) * table.row(id)[i];
        }
    }
    const double length =
        std::sqrt(std::inner_product(want.begin(), want.end(), want.begin(), 0.0));
    const auto got = embedded("Dark mode");
    for (std::size_t i = 0; i < 256; ++i) {
        EXPECT_NEAR(static_cast<double>(got[i]), want[i] / length, 1e-5);
    }
}

TEST_F(StaticEmbedderTest, FindsByMeaning) {
    const struct {
        std::string_view query, near, far;
    } cases[] = {
        {"Which editor theme does she like?", "The user prefers a dark colour scheme in the IDE.",
         "The invoice was paid on Friday."},
        {"food allergy", "He cannot eat peanuts or shellfish.", "The server runs in Frankfurt."},
        {"database outage", "PostgreSQL went down during the night.",
         "Her daughter plays the violin."},
        {"a car", "an automobile", "a banana"},
        {"programming language", "We write the backend in Rust and Python.",
         "The cat sleeps on the sofa."},
        {"vacation plans", "They are flying to Portugal for a holiday in June.",
         "The unit tests fail on the build server."},
    };
    for (const auto& c : cases) {
        EXPECT_GT(similarity(c.query, c.near), similarity(c.query, c.far) + 0.05) << c.query;
    }
}

TEST_F(StaticEmbedderTest, CaseAndAccentsDoNotMatter) {
    EXPECT_NEAR(similarity("CAFÉ in Zürich", "cafe in zurich"), 1, 1e-6);
}

TEST_F(StaticEmbedderTest, WithoutKnownTokensTheVectorIsZero) {
    for (const std::string_view text : {"", "   ", "\xF0\x9F\x8E\x89"}) {
        for (const float x : embedded(text)) ASSERT_EQ(x, 0);
    }
}

TEST_F(StaticEmbedderTest, EveryTokenOfALongTextCounts) {
    std::string text;
    for (int i = 0; i < 10'000; ++i) text += "the weather report ";
    const auto before = embedded(text);
    text += "kubernetes ";
    Vector after;
    EXPECT_GT(embedder_->embed_text(text, after), 30'000U);
    EXPECT_NE(before, after);
    EXPECT_NEAR(std::inner_product(after.begin(), after.end(), after.begin(), 0.0), 1, 1e-5);
}

TEST_F(StaticEmbedderTest, AnswersInOrder) {
    const auto answer = run(*embedder_, {"first text", "", "second text"}, soon());
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->size(), 3U);
    EXPECT_EQ((*answer)[0], retrieval::pack(embedded("first text")));
    EXPECT_EQ((*answer)[1].dimensions(), 256U);
    EXPECT_EQ((*answer)[2], retrieval::pack(embedded("second text")));
}

TEST_F(StaticEmbedderTest, LargeBatchesGoToThePool) {
    Runtime runtime({.loops = 1, .blocking = 2});
    const auto pooled = StaticEmbedder::open(&runtime).value();
    std::vector<std::string> texts(40, std::string(2'000, 'a') + " memory");
    texts.emplace_back("last");
    const auto answer = run(*pooled, texts, soon());
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->size(), 41U);
    EXPECT_EQ(answer->back(), retrieval::pack(embedded("last")));
    runtime.stop();
}

TEST_F(StaticEmbedderTest, StopsAtTheDeadline) {
    const auto answer = run(*embedder_, {"text"}, Deadline::after(std::chrono::milliseconds(-1)));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
}

}  // namespace
}  // namespace aeterna::embedding
