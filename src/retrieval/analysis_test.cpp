#include "retrieval/analysis.hpp"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace aeterna::retrieval {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

std::vector<std::string> terms(std::string_view text) {
    std::vector<std::string> out;
    for_each_term(text,
                  [&](std::string_view term, std::size_t, std::size_t) { out.emplace_back(term); });
    return out;
}

TEST(Analysis, FoldsCaseAccentsAndWidth) {
    EXPECT_THAT(terms("Café ÉCOLE Ｗｉｄｅ Straße Øre"),
                ElementsAre("cafe", "ecol", "wide", "strass", "ore"));
    EXPECT_EQ(terms("cafe\xCC\x81"), terms("caf\xC3\xA9"));
}

TEST(Analysis, StemsEnglishLightly) {
    EXPECT_EQ(terms("paintings"), terms("painting"));
    EXPECT_EQ(terms("Caroline's"), terms("caroline"));
    EXPECT_EQ(terms("Caroline’s dog"), terms("caroline dog"));
}

TEST(Analysis, IdentifiersGiveThemselvesAndTheirParts) {
    EXPECT_THAT(terms("getUserName"), ElementsAre("getusername", "get", "user", "name"));
    EXPECT_THAT(terms("HTTPServer"), ElementsAre("httpserver", "http", "server"));
    EXPECT_THAT(terms("max_depth"), ElementsAre("max_depth", "max", "depth"));
    EXPECT_THAT(terms("net.Config v1.2"),
                ElementsAre("net.config", "net", "config", "v1.2", "v", "1", "2"));
    EXPECT_THAT(terms("pg15"), ElementsAre("pg15", "pg", "15"));
    EXPECT_THAT(terms("The end. Next"), ElementsAre("the", "end", "next"));
}

TEST(Analysis, NumbersLoseTheirThousandsMarks) {
    EXPECT_THAT(terms("1,000,000 and 1,2"), ElementsAre("1000000", "and", "1", "2"));
}

TEST(Analysis, ScriptsWithoutSpacesGivePairs) {
    EXPECT_THAT(terms("東京都 x 東"), ElementsAre("東京", "京都", "x", "東"));
    EXPECT_THAT(terms("한국어"), ElementsAre("한국", "국어"));
}

TEST(Analysis, EmojiAreTerms) {
    EXPECT_THAT(terms("ship it 🚀"), ElementsAre("ship", "it", "🚀"));
}

TEST(Analysis, DatesMeetWhateverTheirSpelling) {
    const auto iso = terms("2026-11-23");
    EXPECT_THAT(iso, IsSupersetOf({"2026", "23", "2026-11", "11-23", "2026-11-23"}));
    for (const auto* other : {"23 November 2026", "Nov 23, 2026", "November 23rd, 2026",
                              "23rd of Nov. 2026", "23 NOV, 2026", "2026/11/23"}) {
        EXPECT_EQ(terms(other), iso) << other;
    }
    EXPECT_THAT(terms("2026-11-23T20:41"), IsSupersetOf({"2026-11-23", "20", "41"}));
    EXPECT_THAT(terms("1:56 pm on 8 May, 2023"), IsSupersetOf({"56", "pm", "may", "2023-05-08"}));
    EXPECT_THAT(terms("in May 2023"), IsSupersetOf({"may", "2023", "2023-05"}));
    EXPECT_EQ(terms("November").front(), terms("Nov 23").front());
}

TEST(Analysis, WhatLooksLikeADateIsNotAlwaysOne) {
    EXPECT_THAT(terms("you may go"), ElementsAre("you", "may", "go"));
    EXPECT_THAT(terms("5 marches"), ElementsAre("5", "march"));
    EXPECT_THAT(terms("2026-13-40"), ElementsAre("2026", "13", "40"));
    EXPECT_THAT(terms("8 mayors"), ElementsAre("8", "mayor"));
}

TEST(Analysis, SurvivesWhatIsNotText) {
    EXPECT_THAT(terms(""), IsEmpty());
    EXPECT_THAT(terms("a\xFF\xC3(b\x80"), ElementsAre("a", "b"));
    EXPECT_THAT(terms("\xE6\x9D"), IsEmpty());
    EXPECT_THAT(terms(std::string_view("a\0b", 3)), ElementsAre("a", "b"));
    EXPECT_THAT(terms("'’._,,'s \xCC\x81 ..."), ElementsAre("s"));
}

TEST(Analysis, EveryTermIsShortValidAndPointsIntoTheText) {
    std::string text;
    for (int i = 0; i < 4000; ++i) {
        text.push_back(static_cast<char>((i * 7919 + i / 13) % 256));
        if (i % 5 == 0) text += "東京éÉ'2026-01-02";
    }
    text += std::string(300, 'x') + "aB1_" + std::string(5000, 'Q');
    std::size_t count = 0;
    for_each_term(text, [&](std::string_view term, std::size_t begin, std::size_t end) {
        ++count;
        EXPECT_LE(term.size(), kMaxTermBytes);
        EXPECT_FALSE(term.empty());
        EXPECT_TRUE(is_valid_utf8(term));
        EXPECT_LT(begin, end);
        EXPECT_LE(end, text.size());
    });
    EXPECT_GT(count, 1000U);
}

TEST(Analysis, TakesTimeLinearInTheText) {
    const auto cost = [](const std::string& unit, std::size_t times) {
        std::string text;
        for (std::size_t i = 0; i < times; ++i) text += unit;
        const auto start = std::chrono::steady_clock::now();
        (void)analyse(text);
        return std::chrono::steady_clock::now() - start;
    };
    for (const auto* unit : {"aB", "a.", "1,000", "東", "e\xCC\x81", "Nov ", "1 of ", "\xFF"}) {
        const auto small = cost(unit, 4'000);
        const auto large = cost(unit, 40'000);
        EXPECT_LT(large, small * 60 + std::chrono::milliseconds(50)) << unit;
    }
}

TEST(Analysis, CountsRepeatedTerms) {
    const auto text = analyse("dog dogs cat");
    EXPECT_EQ(text.length, 3U);
    ASSERT_EQ(text.terms.size(), 2U);
    EXPECT_LT(text.terms[0].hash, text.terms[1].hash);
    EXPECT_EQ(text.terms[0].count + text.terms[1].count, 3U);
}

TEST(Analysis, QueriesKeepTheSpelling) {
    const auto query = analyse_query("Painted paintings on Nov 23, 2026");
    EXPECT_EQ(query[0].surface, "Painted");
    EXPECT_EQ(query[0].count, 2U);
    EXPECT_EQ(query.back().surface, "Nov 23, 2026");
    EXPECT_EQ(analyse_query("k b c d e", 3).size(), 3U);
}

TEST(Analysis, QueriesLeaveOutFunctionWordsUnlessThereIsNothingElse) {
    const auto query = analyse_query("when does the database restart?");
    ASSERT_EQ(query.size(), 2U);
    EXPECT_EQ(query[0].surface, "database");
    EXPECT_EQ(analyse_query("who is it").size(), 3U);
    EXPECT_EQ(analyse("the database").length, 2U);
}

}  // namespace
}  // namespace aeterna::retrieval
