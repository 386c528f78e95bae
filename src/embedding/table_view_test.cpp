#include "embedding/table_view.hpp"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace aeterna::embedding {
namespace {

/// The header alone decides; a copy of 8 MB per case would be slow.
class TableHeader : public testing::Test {
  protected:
    TableHeader() {
        const auto table = compiled_in_table().value();
        const auto* first = reinterpret_cast<const std::byte*>(table.row(0));
        // The header lies before the scales, which lie before the rows.
        const auto* start = first - std::ptrdiff_t{64} * ((128 + 4 * 30522 + 63) / 64);
        std::uint64_t total = 0;
        std::memcpy(&total, start + 72, sizeof total);
        copy_.assign(start, start + total);
    }
    template <class T>
    void put(std::size_t offset, T value) {
        std::memcpy(copy_.data() + offset, &value, sizeof value);
    }
    bool opens() const { return TableView::open(copy_).has_value(); }

    std::vector<std::byte> copy_;
};

std::uint32_t hash_of(std::string_view spelling) {
    StepwiseHash hash;
    for (const char c : spelling) hash.step(c);
    return hash.folded();
}

TEST(CompiledInTable, IsWholeAndHasTheExpectedShape) {
    const auto table = compiled_in_table();
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_EQ(table->dimensions(), 256U);
    EXPECT_EQ(table->rows(), 30522U);
    EXPECT_EQ(table->token(table->unknown()), "[UNK]");
    const auto verified = table->verify();
    EXPECT_TRUE(verified) << verified.error().message;
}

TEST(CompiledInTable, FindsEveryTokenButTheSpecialOnes) {
    const auto table = compiled_in_table().value();
    std::size_t missing = 0;
    for (std::size_t id = 0; id < table.rows(); ++id) {
        const auto spelling = table.token(static_cast<TokenId>(id));
        const bool continues = spelling.size() > 2 && spelling.starts_with("##");
        const auto found =
            table.find(hash_of(spelling), spelling.substr(continues ? 2 : 0), continues);
        if (found == static_cast<TokenId>(id)) continue;
        EXPECT_FALSE(found);
        EXPECT_TRUE(spelling.starts_with('[') && spelling.ends_with(']')) << spelling;
        EXPECT_EQ(table.scale(static_cast<TokenId>(id)), 0) << spelling;
        ++missing;
    }
    EXPECT_EQ(missing, 999U);  // 994 unused, [PAD] [UNK] [CLS] [SEP] [MASK]
    EXPECT_FALSE(table.find(hash_of("no such token"), "no such token", false));
    EXPECT_FALSE(table.find(hash_of("##memory"), "memory", true) ==
                 table.find(hash_of("memory"), "memory", false));
}

TEST_F(TableHeader, AcceptsAnHonestCopy) {
    EXPECT_TRUE(opens());
}

TEST_F(TableHeader, RefusesWhatItCannotRead) {
    const auto good = copy_;
    const auto refused = [&](std::size_t offset, auto value) {
        put(offset, value);
        const auto table = TableView::open(copy_);
        copy_ = good;
        return !table && table.error().code == Code::kCorrupt;
    };
    EXPECT_TRUE(refused(0, 'X'));
    EXPECT_TRUE(refused(8, std::uint32_t{2}));
    for (const std::size_t field : {12UL, 16UL, 20UL, 28UL}) {
        EXPECT_TRUE(refused(field, std::uint32_t{0})) << field;
        EXPECT_TRUE(refused(field, ~std::uint32_t{0})) << field;
    }
    EXPECT_TRUE(refused(24, std::uint32_t{30522}));
    for (const std::size_t offset : {32UL, 40UL, 48UL, 56UL, 64UL, 72UL}) {
        EXPECT_TRUE(refused(offset, ~std::uint64_t{0})) << offset;
        EXPECT_TRUE(refused(offset, std::uint64_t{3})) << offset;
    }
    copy_.resize(127);
    EXPECT_FALSE(opens());
}

TEST_F(TableHeader, VerifySeesOneChangedByte) {
    copy_[copy_.size() / 2] ^= std::byte{1};
    const auto table = TableView::open(copy_);
    ASSERT_TRUE(table);
    EXPECT_FALSE(table->verify());
}

}  // namespace
}  // namespace aeterna::embedding
