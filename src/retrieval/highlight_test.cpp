#include "retrieval/highlight.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace aeterna::retrieval {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> find(std::string_view content, std::string query, std::size_t max = 3,
                              std::size_t width = 40) {
    const std::vector<std::string> looked_for{std::move(query)};
    return highlights(content, looked_for, max, width);
}

TEST(Highlight, AShortTextIsItsOwnHighlight) {
    EXPECT_THAT(find("She paints at dusk", "painting"), ElementsAre("She paints at dusk"));
    EXPECT_THAT(find("She paints at dusk", "violin"), IsEmpty());
    EXPECT_THAT(find("", "violin"), IsEmpty());
}

TEST(Highlight, ShowsWhereItCut) {
    const std::string filler = "lorem ipsum dolor sit amet consectetur adipiscing elit ";
    const auto out = find(filler + "the violin lesson " + filler, "violin");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_THAT(out[0], AllOf(StartsWith("…"), EndsWith("…"), HasSubstr("violin")));
    EXPECT_LT(out[0].size(), 60U);
}

TEST(Highlight, PrefersPiecesWithMoreOfTheQuery) {
    const std::string gap(100, '.');
    const auto out =
        find("violin " + gap + " violin lesson " + gap + " lesson", "violin lesson", 1);
    ASSERT_EQ(out.size(), 1U);
    EXPECT_THAT(out[0], HasSubstr("violin lesson"));
}

TEST(Highlight, NeverSplitsACharacter) {
    std::string content;
    for (int i = 0; i < 60; ++i) content += "é東🚀";
    for (const std::size_t width : {1U, 7U, 20U, 33U}) {
        for (const auto& piece : find(content + " violin " + content, "violin 東é", 9, width)) {
            EXPECT_TRUE(is_valid_utf8(piece)) << piece;
        }
    }
}

TEST(Highlight, FindsADateInAnotherSpelling) {
    EXPECT_THAT(find("Met on 23 November 2026.", "2026-11-23"),
                ElementsAre("Met on 23 November 2026."));
}

}  // namespace
}  // namespace aeterna::retrieval
