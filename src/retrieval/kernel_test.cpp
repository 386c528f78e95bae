#include "retrieval/kernel.hpp"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace aeterna::retrieval {
namespace {

TEST(Kernel, EveryKernelGivesTheScalarAnswer) {
    std::mt19937 random(3);
    const DotKernel scalar = kernels().back().dot;
    ASSERT_EQ(kernels().back().name, "scalar");
    for (const std::size_t width : {64U, 256U, 384U, 4096U}) {
        for (const std::size_t count : {1U, 3U, 4U, 9U}) {
            std::vector<std::int8_t> query(width);
            std::vector<std::int8_t> rows(width * count);
            for (auto& value : query) value = static_cast<std::int8_t>(random());
            for (auto& value : rows) value = static_cast<std::int8_t>(random());
            std::vector<std::int32_t> expected(count);
            scalar(query.data(), rows.data(), width, count, expected.data());
            for (const auto& [name, dot] : kernels()) {
                std::vector<std::int32_t> got(count);
                dot(query.data(), rows.data(), width, count, got.data());
                EXPECT_EQ(got, expected) << name << " " << width << " " << count;
            }
        }
    }
}

TEST(Kernel, ExtremesDoNotSaturate) {
    const std::vector<std::int8_t> lowest(4096, -128);
    const std::vector<std::int8_t> highest(4096, 127);
    for (const auto& [name, dot] : kernels()) {
        std::int32_t out = 0;
        dot(lowest.data(), lowest.data(), 4096, 1, &out);
        EXPECT_EQ(out, 4096 * 128 * 128) << name;
        dot(lowest.data(), highest.data(), 4096, 1, &out);
        EXPECT_EQ(out, -4096 * 128 * 127) << name;
        dot(highest.data(), highest.data(), 4096, 1, &out);
        EXPECT_EQ(out, 4096 * 127 * 127) << name;
    }
}

TEST(Kernel, PadsToBlocks) {
    EXPECT_EQ(padded(1), 64U);
    EXPECT_EQ(padded(64), 64U);
    EXPECT_EQ(padded(300), 320U);
}

}  // namespace
}  // namespace aeterna::retrieval
