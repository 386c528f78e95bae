#include "retrieval/lexical.hpp"

#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace aeterna::retrieval {
namespace {

std::vector<float> scores(const LexicalIndex& index, std::string_view query, std::size_t slots) {
    const auto terms = analyse_query(query);
    LexicalTotals totals;
    index.add_totals(terms, totals);
    std::vector<float> out(slots);
    index.score(terms, totals, Bm25{.k1 = 1.2, .b = 0.75}, out);
    return out;
}

TEST(Lexical, ScoresAsTheFormulaSays) {
    LexicalIndex index;
    index.insert(0, analyse("red apple"));
    index.insert(1, analyse("red red car"));
    const auto got = scores(index, "red apple", 2);
    const double mean = 2.5;
    const auto part = [&](double n, double count, double length) {
        const double rarity = std::log(1 + (2 - n + 0.5) / (n + 0.5));
        return rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean));
    };
    EXPECT_NEAR(got[0], part(2, 1, 2) + part(1, 1, 2), 1e-5);
    EXPECT_NEAR(got[1], part(2, 2, 3), 1e-5);
}

TEST(Lexical, RemovingLeavesNoTrace) {
    LexicalIndex index;
    index.insert(0, analyse("red apple"));
    index.insert(1, analyse("green pear"));
    index.remove(0);
    EXPECT_EQ(index.documents(), 1U);
    LexicalIndex fresh;
    fresh.insert(1, analyse("green pear"));
    EXPECT_EQ(scores(index, "red green apple", 2), scores(fresh, "red green apple", 2));
    index.insert(0, analyse("blue plum"));
    EXPECT_EQ(scores(index, "apple", 2)[0], 0);
    EXPECT_GT(scores(index, "plum", 2)[0], 0);
}

std::string random_text(std::mt19937& random) {
    std::string text;
    const std::size_t words = 1 + random() % 12;
    for (std::size_t i = 0; i < words; ++i)
        text += "w" + std::string(1, static_cast<char>('a' + random() % 26)) + " ";
    return text;
}

TEST(Lexical, ManyChangesEqualAFreshIndex) {
    std::mt19937 random(7);
    LexicalIndex index;
    std::map<std::uint32_t, std::string> model;
    for (int step = 0; step < 3000; ++step) {
        const auto slot = static_cast<std::uint32_t>(random() % 80);
        if (model.erase(slot) != 0) index.remove(slot);
        if (random() % 3 == 0) continue;
        model[slot] = random_text(random);
        index.insert(slot, analyse(model[slot]));
    }
    LexicalIndex fresh;
    for (const auto& [slot, text] : model) fresh.insert(slot, analyse(text));
    const std::string query = "wa wb wc wq wz nothing";
    EXPECT_EQ(scores(index, query, 80), scores(fresh, query, 80));

    const auto image = index.image();
    EXPECT_EQ(image.hashes, fresh.image().hashes);
    EXPECT_EQ(image.postings, fresh.image().postings);
    LexicalIndex restored;
    ASSERT_TRUE(restored.restore(image.hashes, image.counts, image.postings, image.lengths,
                                 index.documents()));
    EXPECT_EQ(scores(restored, query, 80), scores(index, query, 80));
    for (const auto& [slot, text] : model) restored.remove(slot);
    EXPECT_EQ(restored.documents(), 0U);
    EXPECT_TRUE(restored.image().hashes.empty());
}

TEST(Lexical, RefusesAnImageThatContradictsItself) {
    LexicalIndex index;
    index.insert(0, analyse("red apple"));
    index.insert(1, analyse("red pear"));
    const auto good = index.image();
    const auto accepts = [](const LexicalIndex::Image& image) {
        LexicalIndex out;
        return out.restore(image.hashes, image.counts, image.postings, image.lengths, 2);
    };
    ASSERT_TRUE(accepts(good));
    auto bad = good;
    bad.postings[0] = 99U << 6 | 1;
    EXPECT_FALSE(accepts(bad));
    bad = good;
    bad.counts[0] += 1;
    EXPECT_FALSE(accepts(bad));
    bad = good;
    std::swap(bad.hashes[0], bad.hashes[1]);
    EXPECT_FALSE(accepts(bad));
    bad = good;
    bad.hashes.pop_back();
    EXPECT_FALSE(accepts(bad));
    bad = good;
    bad.postings[0] &= ~63U;
    EXPECT_FALSE(accepts(bad));
}

TEST(Lexical, TellsWhichTermsMatched) {
    LexicalIndex index;
    index.insert(3, analyse("the red apple"));
    const auto resolved = index.resolve(analyse_query("apple car red"));
    EXPECT_TRUE(index.holds(3, resolved[0]));
    EXPECT_FALSE(index.holds(3, resolved[1]));
    EXPECT_TRUE(index.holds(3, resolved[2]));
}

}  // namespace
}  // namespace aeterna::retrieval
