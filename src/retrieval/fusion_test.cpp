#include "retrieval/fusion.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::retrieval {
namespace {

using ::testing::ElementsAre;

TEST(Fusion, TheFirstOfBothRankingsHasOne) {
    EXPECT_DOUBLE_EQ(fuse({1}, {1}, true), 1);
    EXPECT_DOUBLE_EQ(fuse({0}, {0}, true), 0);
    EXPECT_DOUBLE_EQ(fuse({1}, {0}, false), 1);
    EXPECT_DOUBLE_EQ(fuse({1}, {1}, false), 1);
    EXPECT_LT(fuse({1}, {0}, true), 1);
}

TEST(Fusion, BetterRanksNeverHarm) {
    for (std::uint32_t rank = 1; rank < 300; ++rank) {
        EXPECT_GT(fuse({rank}, {5}, true), fuse({rank + 1}, {5}, true));
        EXPECT_GT(fuse({5}, {rank}, true), fuse({5}, {rank + 1}, true));
        EXPECT_GT(fuse({rank}, {5}, true), fuse({rank}, {0}, true));
    }
}

TEST(Fusion, WeightsDecideWhichRankingCounts) {
    const Fusion lexical{.k = 10, .lexical_weight = 1, .vector_weight = 0};
    EXPECT_DOUBLE_EQ(fuse({1}, {0}, true, lexical), 1);
    EXPECT_DOUBLE_EQ(fuse({0}, {1}, true, lexical), 0);
}

TEST(Fusion, AStrongHitBeatsTheFirstOfBadOnes) {
    EXPECT_GT(fuse({0}, {1, 0.7}, true), fuse({1, 0.2}, {0}, true));
    EXPECT_DOUBLE_EQ(fuse({1, 0.5}, {1, 0.5}, true), 0.5);
    EXPECT_DOUBLE_EQ(fuse({1, 7}, {1, 7}, true), 1);
    EXPECT_DOUBLE_EQ(fuse({1, -7}, {0}, true), 0);
}

TEST(Fold, NearDuplicatesGoUnderTheBest) {
    const auto a = pack(std::vector<float>{1, 0});
    const auto b = pack(std::vector<float>{0.99F, 0.1F});
    const auto c = pack(std::vector<float>{0, 1});
    const auto other = pack(std::vector<float>{1, 0, 0});
    const PackedVector none;
    const std::vector<const PackedVector*> ranking{&a, &c, &b, &none, nullptr, &other, &c};
    EXPECT_THAT(fold_near_duplicates(ranking, 10), ElementsAre(0, 1, 0, 3, 4, 5, 1));
    EXPECT_THAT(fold_near_duplicates(ranking, 10, 0.9999F), ElementsAre(0, 1, 2, 3, 4, 5, 1));
    EXPECT_THAT(fold_near_duplicates(ranking, 2),
                ElementsAre(0, 1, 0, kNotLookedAt, kNotLookedAt, kNotLookedAt, 1));
}

}  // namespace
}  // namespace aeterna::retrieval
