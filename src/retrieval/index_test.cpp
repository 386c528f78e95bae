#include "retrieval/index.hpp"

#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::retrieval {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Uuid id(std::uint8_t number) {
    Uuid out;
    out.bytes.fill(1);
    out.bytes[15] = number;
    return out;
}

Document document(std::uint8_t number, std::string text, std::int64_t version = 1) {
    Document out;
    out.id = id(number);
    out.version = version;
    out.text = std::move(text);
    return out;
}

Document with_vector(Document out, std::vector<float> vector, std::string embedder = "e") {
    out.vector = pack(vector);
    out.embedder = std::move(embedder);
    return out;
}

Query query(std::string text, std::vector<std::string> partitions = {"p"}) {
    Query out;
    out.partitions = std::move(partitions);
    out.text = std::move(text);
    return out;
}

std::vector<Uuid> ids(const Matches& matches) {
    std::vector<Uuid> out;
    for (const auto& item : matches.items) out.push_back(item.id);
    return out;
}

TEST(ScopeIndex, FindsByTerms) {
    ScopeIndex index;
    EXPECT_TRUE(index.put("p", document(1, "she paints at dusk")));
    EXPECT_TRUE(index.put("p", document(2, "he plays the violin")));
    const auto found = index.search(query("Painting"));
    ASSERT_EQ(found.items.size(), 1U);
    EXPECT_EQ(found.items[0].id, id(1));
    EXPECT_EQ(found.items[0].lexical_rank, 1U);
    EXPECT_EQ(found.items[0].vector_rank, 0U);
    EXPECT_GT(found.items[0].bm25, 0);
    EXPECT_FALSE(found.items[0].cosine.has_value());
    EXPECT_THAT(found.items[0].terms, ElementsAre("Painting"));
    EXPECT_EQ(found.scanned, 2U);
}

TEST(ScopeIndex, FindsByVectorsAndGivesLexicalHitsTheirCosine) {
    ScopeIndex index;
    index.put("p", with_vector(document(1, "alpha"), {1, 0, 0}));
    index.put("p", with_vector(document(2, "beta"), {0.8F, 0.6F, 0}));
    index.put("p", with_vector(document(3, "gamma"), {-1, 0, 0}));
    index.put("p", document(4, "delta"));
    auto q = query("gamma");
    q.vector = pack(std::vector<float>{1, 0, 0});
    q.embedder = "e";
    const auto found = index.search(q);
    EXPECT_THAT(ids(found), ElementsAre(id(3), id(1), id(2)));
    EXPECT_NEAR(*found.items[0].cosine, -1, 1e-3);
    EXPECT_EQ(found.items[0].vector_rank, 0U);
    EXPECT_EQ(found.items[1].vector_rank, 1U);
    EXPECT_NEAR(*found.items[2].cosine, 0.8, 1e-3);
    EXPECT_EQ(found.items[2].vector, pack(std::vector<float>{0.8F, 0.6F, 0}));
    EXPECT_EQ(found.without_vector, 1U);
}

TEST(ScopeIndex, NeverComparesVectorsOfTwoEmbedders) {
    ScopeIndex index;
    index.put("p", with_vector(document(1, "alpha"), {1, 0}, "old"));
    index.put("p", with_vector(document(2, "beta"), {1, 0}, "new"));
    index.put("p", with_vector(document(3, "beta"), {1, 0, 0}, "new"));
    auto malformed = document(4, "beta");
    malformed.embedder = "new";
    malformed.vector.bytes = {1, 2, 3};
    index.put("p", malformed);
    auto q = query("alpha");
    q.vector = pack(std::vector<float>{1, 0});
    q.embedder = "new";
    const auto found = index.search(q);
    EXPECT_THAT(ids(found), ElementsAre(id(1), id(2)));
    EXPECT_FALSE(found.items[0].cosine.has_value());
    EXPECT_EQ(found.without_vector, 3U);
    EXPECT_EQ(index.without_vector("new", 2), 3U);
}

TEST(ScopeIndex, SearchesOnlyTheNamedPartitions) {
    ScopeIndex index;
    index.put("a", document(1, "violin"));
    index.put("b", document(2, "violin"));
    index.put("c", document(3, "violin"));
    EXPECT_THAT(ids(index.search(query("violin", {"a", "c", "nobody", "a"}))),
                UnorderedElementsAre(id(1), id(3)));
    const auto found = index.search(query("violin", {"x", "c", "b"}));
    EXPECT_THAT(ids(found), ElementsAre(id(3), id(2)));
    EXPECT_EQ(found.items[0].partition, 1U);
    EXPECT_EQ(found.items[1].partition, 2U);
    EXPECT_THAT(index.search(query("violin", {})).items, IsEmpty());
}

TEST(ScopeIndex, PartitionsShareTheirStatistics) {
    ScopeIndex apart;
    ScopeIndex together;
    for (std::uint8_t i = 0; i < 20; ++i) {
        const auto text = i % 3 == 0 ? "violin lesson today" : "piano lesson";
        apart.put(i % 2 == 0 ? "a" : "b", document(i, text));
        together.put("a", document(i, text));
    }
    const auto one = apart.search(query("violin today lesson", {"a", "b"}));
    const auto two = together.search(query("violin today lesson", {"a"}));
    EXPECT_EQ(ids(one), ids(two));
    for (std::size_t i = 0; i < one.items.size(); ++i) {
        EXPECT_EQ(one.items[i].bm25, two.items[i].bm25);
    }
}

TEST(ScopeIndex, OlderVersionsAreIgnored) {
    ScopeIndex index;
    EXPECT_TRUE(index.put("p", document(1, "piano", 2)));
    EXPECT_FALSE(index.put("p", document(1, "violin", 1)));
    EXPECT_FALSE(index.put("p", document(1, "violin", 2)));
    EXPECT_THAT(index.search(query("violin")).items, IsEmpty());
    EXPECT_TRUE(index.put("p", document(1, "violin", 3)));
    EXPECT_THAT(index.search(query("piano")).items, IsEmpty());
    EXPECT_EQ(index.search(query("violin")).items[0].version, 3);
    EXPECT_EQ(index.version_of("p", id(1)), 3);
    EXPECT_EQ(index.version_of("p", id(2)), std::nullopt);
    EXPECT_EQ(index.version_of("q", id(1)), std::nullopt);
}

TEST(ScopeIndex, RemovedDocumentsAreGone) {
    ScopeIndex index;
    index.put("p", with_vector(document(1, "violin"), {1, 0}));
    index.put("p", with_vector(document(2, "violin"), {1, 0}));
    EXPECT_FALSE(index.remove("p", id(9)));
    EXPECT_FALSE(index.remove("q", id(1)));
    EXPECT_FALSE(index.remove("p", id(1), 0));
    EXPECT_TRUE(index.remove("p", id(1), 1));
    auto q = query("violin");
    q.vector = pack(std::vector<float>{1, 0});
    q.embedder = "e";
    EXPECT_THAT(ids(index.search(q)), ElementsAre(id(2)));
    EXPECT_TRUE(index.remove("p", id(2)));
    EXPECT_EQ(index.totals().partitions, 0U);
    EXPECT_TRUE(index.put("p", document(1, "violin")));
    EXPECT_EQ(index.totals().documents, 1U);
}

TEST(ScopeIndex, RememberedRemovalsStopLateArrivals) {
    ScopeIndex index;
    index.remember_removals(true);
    index.put("p", document(1, "violin", 3));
    index.remove("p", id(1), 4);
    EXPECT_FALSE(index.remove("p", id(2), 5));
    EXPECT_FALSE(index.put("p", document(1, "violin", 3)));
    EXPECT_FALSE(index.put("p", document(2, "violin", 5)));
    EXPECT_TRUE(index.put("p", document(2, "violin", 6)));
    index.remember_removals(false);
    EXPECT_TRUE(index.put("p", document(1, "violin", 3)));
}

TEST(ScopeIndex, ConditionsHoldBeforeRanking) {
    ScopeIndex index;
    for (std::uint8_t i = 0; i < 10; ++i) {
        auto d = with_vector(document(i, "violin"), {1, 0});
        d.created = i * 10;
        d.updated = i * 10 + 5;
        d.importance = i / 10.0;
        d.attributes = {100U + i % 2, 200U + i % 3};
        index.put("p", d);
    }
    const auto with = [&](Conditions conditions) {
        auto q = query("violin");
        q.vector = pack(std::vector<float>{1, 0});
        q.embedder = "e";
        q.conditions = std::move(conditions);
        const auto found = index.search(q);
        EXPECT_EQ(found.items.size(), found.scanned);
        return ids(found);
    };
    EXPECT_THAT(with({.required = {101, 200}, .any_of = {}}), UnorderedElementsAre(id(3), id(9)));
    EXPECT_THAT(with({.required = {101}, .any_of = {201, 202}}),
                UnorderedElementsAre(id(1), id(5), id(7)));
    EXPECT_THAT(with({.required = {}, .any_of = {999}}), IsEmpty());
    EXPECT_THAT(with({.required = {}, .any_of = {}, .created_from = 20, .created_until = 40}),
                UnorderedElementsAre(id(2), id(3)));
    EXPECT_THAT(with({.required = {}, .any_of = {}, .updated_from = 85}),
                UnorderedElementsAre(id(8), id(9)));
    EXPECT_THAT(with({.required = {}, .any_of = {}, .updated_until = 6}), ElementsAre(id(0)));
    EXPECT_THAT(with({.required = {}, .any_of = {}, .min_importance = 0.8}),
                UnorderedElementsAre(id(8), id(9)));
}

TEST(ScopeIndex, ExpiredDocumentsAreLeftOut) {
    ScopeIndex index;
    auto d = document(1, "violin");
    d.expires = 100;
    index.put("p", d);
    index.put("p", document(2, "violin"));
    auto q = query("violin");
    q.now = 99;
    EXPECT_EQ(index.search(q).scanned, 2U);
    q.now = 100;
    EXPECT_THAT(ids(index.search(q)), ElementsAre(id(2)));
    EXPECT_EQ(index.search(q).scanned, 1U);
    index.remove("p", id(1));
    EXPECT_EQ(index.search(q).scanned, 1U);
}

TEST(ScopeIndex, TiesGoToTheMoreSpecificLayerThenToTheNewer) {
    ScopeIndex index;
    for (std::uint8_t i = 0; i < 4; ++i) {
        auto d = document(i, "violin");
        d.layer = i < 2 ? 5 : 1;
        index.put(i % 2 == 0 ? "a" : "b", d);
    }
    EXPECT_THAT(ids(index.search(query("violin", {"a", "b"}))),
                ElementsAre(id(3), id(2), id(1), id(0)));
}

TEST(ScopeIndex, DepthLimitsEachRanking) {
    ScopeIndex index;
    for (std::uint8_t i = 0; i < 100; ++i) {
        std::string text = "violin";
        for (std::uint8_t j = 0; j < i; ++j) text += " filler";
        index.put("p", document(i, text));
    }
    auto q = query("violin");
    q.depth = 3;
    EXPECT_THAT(ids(index.search(q)), ElementsAre(id(0), id(1), id(2)));
    q.depth = 0;
    EXPECT_THAT(index.search(q).items, IsEmpty());
}

TEST(ScopeIndex, VectorRankingEqualsAFullComparison) {
    std::mt19937 random(11);
    std::normal_distribution<float> normal;
    constexpr std::size_t kDimensions = 70;
    const auto vector = [&] {
        std::vector<float> out(kDimensions);
        for (float& x : out) x = normal(random);
        return out;
    };
    ScopeIndex index;
    std::map<std::uint8_t, PackedVector> model;
    for (int step = 0; step < 3000; ++step) {
        const auto number = static_cast<std::uint8_t>(random() % 250);
        if (random() % 3 == 0) {
            index.remove(number % 2 == 0 ? "a" : "b", id(number));
            model.erase(number);
            continue;
        }
        auto d = with_vector(document(number, "x", step + 1), vector());
        model[number] = d.vector;
        index.put(number % 2 == 0 ? "a" : "b", d);
    }
    const auto probe = vector();
    auto q = query("", {"a", "b"});
    q.vector = pack(probe);
    q.embedder = "e";
    q.depth = 20;
    q.min_cosine = -1;
    std::vector<std::pair<float, Uuid>> expected;
    for (const auto& [number, packed] : model) {
        expected.emplace_back(-cosine(*q.vector, packed), id(number));
    }
    std::ranges::sort(expected);
    const auto found = index.search(q);
    ASSERT_EQ(found.items.size(), 20U);
    for (std::size_t i = 0; i < 20; ++i) {
        EXPECT_EQ(found.items[i].id, expected[i].second) << i;
        EXPECT_NEAR(*found.items[i].cosine, -expected[i].first, 1e-5);
    }
}

TEST(ScopeIndex, EqualContentsAnswerEqually) {
    const auto fill = [](ScopeIndex& index, bool detour) {
        for (std::uint8_t i = 0; i < 60; ++i) {
            const auto number = static_cast<std::uint8_t>(detour ? 59 - i : i);
            if (detour) index.put("p", document(number, "piano violin cello", 1));
            index.put("p", document(number, number % 4 == 0 ? "violin lesson" : "violin", 2));
            if (detour && number % 7 == 0) {
                index.put("p", document(200, "violin"));
                index.remove("p", id(200));
            }
        }
    };
    ScopeIndex one;
    ScopeIndex two;
    fill(one, false);
    fill(two, true);
    const auto q = query("violin lesson");
    EXPECT_EQ(ids(one.search(q)), ids(two.search(q)));
}

TEST(ScopeIndex, VisitsEveryDocument) {
    ScopeIndex index;
    index.put("b", document(2, "x", 5));
    index.put("a", document(1, "y"));
    std::vector<std::string> seen;
    index.for_each([&](const std::string& key, const Uuid& which, std::int64_t version) {
        seen.push_back(key + std::to_string(which.bytes[15]) + "." + std::to_string(version));
    });
    EXPECT_THAT(seen, ElementsAre("a1.1", "b2.5"));
}

TEST(ScopeIndex, ReadersAndWritersShareIt) {
    ScopeIndex index;
    std::atomic<bool> stop{false};
    std::atomic<int> searches{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
        readers.emplace_back([&, i] {
            auto q = query("violin", i == 0 ? std::vector<std::string>{"a", "b"}
                                            : std::vector<std::string>{"b", "a"});
            q.vector = pack(std::vector<float>{1, 0});
            q.embedder = "e";
            while (!stop) {
                for (const auto& item : index.search(q).items) EXPECT_GT(item.bm25, 0);
                ++searches;
            }
        });
    }
    for (int step = 0; step < 3000 || searches < 50; ++step) {
        const auto number = static_cast<std::uint8_t>(step % 17);
        const std::string key = number % 2 == 0 ? "a" : "b";
        index.put(key, with_vector(document(number, "violin", step + 1), {1, 0}));
        if (step % 3 == 0) index.remove(key, id(number));
    }
    for (std::uint8_t number = 0; number < 17; ++number) {
        index.remove(number % 2 == 0 ? "a" : "b", id(number));
    }
    stop = true;
    for (auto& reader : readers) reader.join();
    EXPECT_EQ(index.totals().partitions, 0U);
}

}  // namespace
}  // namespace aeterna::retrieval
