#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.hpp"
#include "base/result.hpp"

namespace aeterna::embedding {

/// FNV-1a of 64 bits, one byte at a time, so that all prefixes of a word cost one pass. The table's
/// slots are placed by `folded`; tools/distill/table.py has the other half.
class StepwiseHash {
  public:
    constexpr void step(char byte) noexcept {
        state_ = (state_ ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ULL;
    }
    [[nodiscard]] constexpr std::uint32_t folded() const noexcept {
        return static_cast<std::uint32_t>(state_ ^ (state_ >> 32));
    }

  private:
    std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

using TokenId = std::uint16_t;

/// An embedding table where it lies: vocabulary with a ready hash table, one int8 row and one scale
/// per token. Opening it reads only its header.
class TableView {
  public:
    /// kCorrupt when the header is not that of a table this program can read, or when a part lies
    /// outside `bytes`. The bytes must outlive the view and be aligned to 4.
    [[nodiscard]] static result<TableView> open(std::span<const std::byte> bytes);

    /// Reads everything: the stored hash against the content, and every index against its bounds.
    [[nodiscard]] result<void> verify() const;

    [[nodiscard]] std::size_t dimensions() const noexcept { return dimensions_; }
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] TokenId unknown() const noexcept { return unknown_; }
    /// Of a piece without its "##", in bytes.
    [[nodiscard]] std::size_t longest_piece() const noexcept { return longest_piece_; }
    /// SHA-256 of the table with the hash's own place set to zeros.
    [[nodiscard]] const Sha256& hash() const noexcept { return hash_; }

    [[nodiscard]] std::string_view token(TokenId id) const noexcept {
        return {tokens_ + token_ends_[id], token_ends_[id + 1U] - token_ends_[id]};
    }
    [[nodiscard]] const std::int8_t* row(TokenId id) const noexcept {
        return vectors_ + id * dimensions_;
    }
    [[nodiscard]] float scale(TokenId id) const noexcept { return scales_[id]; }

    /// `hash` is that of the token's full spelling: `piece`, or "##" and `piece` when it continues
    /// a word.
    [[nodiscard]] std::optional<TokenId> find(std::uint32_t hash, std::string_view piece,
                                              bool continues) const noexcept;

  private:
    TableView() = default;

    std::span<const std::byte> bytes_;
    std::size_t dimensions_ = 0;
    std::size_t rows_ = 0;
    std::size_t slot_count_ = 0;
    std::size_t longest_piece_ = 0;
    TokenId unknown_ = 0;
    Sha256 hash_{};
    const float* scales_ = nullptr;
    const std::int8_t* vectors_ = nullptr;
    const std::uint32_t* token_ends_ = nullptr;
    const char* tokens_ = nullptr;
    const TokenId* slots_ = nullptr;
};

/// The table that is part of this program.
[[nodiscard]] result<TableView> compiled_in_table();

}  // namespace aeterna::embedding
