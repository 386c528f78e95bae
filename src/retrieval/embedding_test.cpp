#include "retrieval/embedding.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace aeterna::retrieval {
namespace {

std::vector<float> random_vector(std::mt19937& random, std::size_t dimensions) {
    std::normal_distribution<float> normal;
    std::vector<float> out(dimensions);
    for (float& x : out) x = normal(random);
    return out;
}

double length(const std::vector<float>& v) {
    double sum = 0;
    for (const float x : v) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
}

double exact_cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum / length(a) / length(b);
}

TEST(PackedVector, KeepsEveryCoordinateToAHalfStep) {
    std::mt19937 random(7);
    for (const std::size_t d : {1UL, 3UL, 64UL, 256UL, 384UL, 1536UL}) {
        for (int round = 0; round < 50; ++round) {
            const auto v = random_vector(random, d);
            const auto packed = pack(v);
            ASSERT_EQ(packed.dimensions(), d);
            ASSERT_TRUE(is_well_formed(packed.bytes));
            float scale = 0;
            std::memcpy(&scale, packed.bytes.data(), 4);
            const auto back = unpack(packed);
            for (std::size_t i = 0; i < d; ++i) {
                const double want = static_cast<double>(v[i]) / length(v);
                const double off = std::abs(want - static_cast<double>(back[i]));
                ASSERT_LE(off, static_cast<double>(scale) / 512 + 2e-7) << d << " at " << i;
            }
        }
    }
}

TEST(PackedVector, CosineIsAsExactAsItNeedsToBe) {
    std::mt19937 random(11);
    double worst = 0;
    for (int round = 0; round < 2000; ++round) {
        const auto a = random_vector(random, 256);
        auto b = random_vector(random, 256);
        if (round % 2 == 0) {  // near-duplicates: where folding decides
            for (std::size_t i = 0; i < b.size(); ++i) b[i] = a[i] + 0.3F * b[i];
        }
        const double off =
            std::abs(exact_cosine(a, b) - static_cast<double>(cosine(pack(a), pack(b))));
        worst = std::max(worst, off);
    }
    EXPECT_LE(worst, 1e-4);
    RecordProperty("worst_cosine_error", std::to_string(worst));
}

TEST(PackedVector, TheHighPlaneAloneRanksNearlyAsWell) {
    std::mt19937 random(13);
    const auto a = random_vector(random, 256);
    const auto packed = pack(a);
    float scale = 0;
    std::memcpy(&scale, packed.bytes.data(), 4);
    double bias = 0;
    for (std::size_t i = 0; i < 256; ++i) {
        const double high = static_cast<std::int8_t>(packed.bytes[4 + i]);
        const double off =
            static_cast<double>(a[i]) / length(a) / static_cast<double>(scale) - high;
        ASSERT_LE(std::abs(off), 0.51);
        bias += off;
    }
    EXPECT_LE(std::abs(bias) / 256, 0.08);
}

TEST(PackedVector, LayoutIsFixed) {
    const auto packed = pack(std::vector<float>{3, -4, 0, 0.0125F});
    ASSERT_EQ(packed.bytes.size(), 12U);
    float scale = 0;
    std::memcpy(&scale, packed.bytes.data(), 4);
    EXPECT_NEAR(scale, 0.8F / 127, 1e-7);
    // 3/4 of 127 is 95.25: 95 and a quarter of 256.
    const std::vector<std::uint8_t> want{95, 0x81, 0, 0, 64, 0, 0, 102};
    EXPECT_EQ(std::vector<std::uint8_t>(packed.bytes.begin() + 4, packed.bytes.end()), want);
}

TEST(PackedVector, LengthOfTheInputDoesNotMatter) {
    std::mt19937 random(17);
    const auto v = random_vector(random, 256);
    auto large = v;
    for (float& x : large) x *= 1e18F;
    auto small = v;
    for (float& x : small) x *= 1e-18F;
    EXPECT_NEAR(cosine(pack(v), pack(large)), 1, 1e-5);
    EXPECT_NEAR(cosine(pack(v), pack(small)), 1, 1e-5);
}

TEST(PackedVector, WhatHasNoDirectionPacksToZeros) {
    const std::vector<float> zero(8, 0.0F);
    const auto packed = pack(zero);
    EXPECT_EQ(packed.dimensions(), 8U);
    EXPECT_TRUE(is_well_formed(packed.bytes));
    EXPECT_EQ(unpack(packed), zero);
    EXPECT_EQ(cosine(packed, pack(std::vector<float>(8, 1.0F))), 0);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        const auto odd = pack(std::vector<float>{1, bad});
        EXPECT_TRUE(is_well_formed(odd.bytes));
        EXPECT_EQ(unpack(odd), std::vector<float>(2, 0.0F));
    }
    EXPECT_TRUE(pack({}).empty());
    EXPECT_TRUE(unpack(PackedVector{}).empty());
}

TEST(PackedVector, DifferentDimensionsHaveNoCosine) {
    EXPECT_EQ(cosine(pack(std::vector<float>{1, 0}), pack(std::vector<float>{1, 0, 0})), 0);
    EXPECT_EQ(cosine(PackedVector{}, PackedVector{}), 0);
}

TEST(PackedVector, SeesBytesThatAreNoVector) {
    auto bytes = pack(std::vector<float>{1, 2, 3}).bytes;
    EXPECT_TRUE(is_well_formed(bytes));
    for (const std::size_t cut : {0UL, 1UL, 4UL, 5UL, 9UL}) {
        EXPECT_FALSE(is_well_formed(std::span(bytes).first(cut))) << cut;
    }
    for (const float scale :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1.0F}) {
        std::memcpy(bytes.data(), &scale, 4);
        EXPECT_FALSE(is_well_formed(bytes));
    }
}

}  // namespace
}  // namespace aeterna::retrieval
