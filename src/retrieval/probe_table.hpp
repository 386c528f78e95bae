#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace aeterna::retrieval {

/// Open-addressed table of row numbers into an array that the caller keeps, so that an entry costs
/// 4 bytes. Keys are told apart by the caller: `hash_of(row)` gives a row's hash again, `is(row)`
/// says whether a row is the one looked for. Deleting leaves no tombstones.
class ProbeTable {
  public:
    static constexpr std::uint32_t kNone = 0xffffffffU;

    template <class Is>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Is is) const {
        if (buckets_.empty()) return kNone;
        for (std::size_t at = home(hash);; at = next(at)) {
            const std::uint32_t row = buckets_[at];
            if (row == kNone || is(row)) return row;
        }
    }

    /// The key must be absent.
    template <class HashOf>
    void insert(std::uint64_t hash, std::uint32_t row, HashOf hash_of) {
        if ((size_ + 1) * 4 > buckets_.size() * 3) grow(size_ + 1, hash_of);
        place(hash, row);
        ++size_;
    }

    template <class HashOf>
    void erase(std::uint64_t hash, std::uint32_t row, HashOf hash_of) {
        if (buckets_.empty()) return;
        std::size_t hole = home(hash);
        while (buckets_[hole] != row) {
            if (buckets_[hole] == kNone) return;
            hole = next(hole);
        }
        // Moves back what probed past the hole, so that every probe still finds its row.
        for (std::size_t at = next(hole); buckets_[at] != kNone; at = next(at)) {
            const std::size_t wanted = home(hash_of(buckets_[at]));
            if (((at - wanted) & mask()) >= ((at - hole) & mask())) {
                buckets_[hole] = buckets_[at];
                hole = at;
            }
        }
        buckets_[hole] = kNone;
        --size_;
    }

    template <class HashOf>
    void reserve(std::size_t count, HashOf hash_of) {
        if (count * 4 > buckets_.size() * 3) grow(count, hash_of);
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return buckets_.capacity() * 4; }

  private:
    [[nodiscard]] std::size_t mask() const noexcept { return buckets_.size() - 1; }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & mask(); }
    [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept {
        return static_cast<std::size_t>((hash * 0x9e3779b97f4a7c15ULL) >> 20) & mask();
    }
    void place(std::uint64_t hash, std::uint32_t row) {
        std::size_t at = home(hash);
        while (buckets_[at] != kNone) at = next(at);
        buckets_[at] = row;
    }
    template <class HashOf>
    void grow(std::size_t count, HashOf hash_of) {
        std::size_t size = 4;
        while (size * 3 < count * 4) size *= 2;
        std::vector<std::uint32_t> old(size, kNone);
        old.swap(buckets_);
        for (const std::uint32_t row : old) {
            if (row != kNone) place(hash_of(row), row);
        }
    }

    std::vector<std::uint32_t> buckets_;
    std::size_t size_ = 0;
};

}  // namespace aeterna::retrieval
