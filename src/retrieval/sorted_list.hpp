#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace aeterna::retrieval {

/// Ascending 32-bit numbers in 16 bytes; up to two of them need no heap. Most terms of a language
/// occur once or twice, so this is where an index saves its memory.
class SortedList {
  public:
    SortedList() = default;
    explicit SortedList(std::span<const std::uint32_t> ascending) {
        reserve(static_cast<std::uint32_t>(ascending.size()));
        std::ranges::copy(ascending, data());
        size_ = static_cast<std::uint32_t>(ascending.size());
    }
    SortedList(const SortedList&) = delete;
    SortedList& operator=(const SortedList&) = delete;
    SortedList(SortedList&& other) noexcept { swap(other); }
    SortedList& operator=(SortedList&& other) noexcept {
        swap(other);
        return *this;
    }
    ~SortedList() { release(); }

    [[nodiscard]] std::span<const std::uint32_t> values() const noexcept { return {data(), size_}; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t heap_bytes() const noexcept {
        return capacity_ > kInline ? capacity_ * sizeof(std::uint32_t) : 0;
    }

    void insert(std::uint32_t value) {
        if (size_ == capacity_) reserve(capacity_ + std::max(capacity_ / 2, 2U));
        std::uint32_t* const values = data();
        std::uint32_t* const at = size_ == 0 || values[size_ - 1] < value
                                      ? values + size_
                                      : std::lower_bound(values, values + size_, value);
        std::memmove(at + 1, at, static_cast<std::size_t>(values + size_ - at) * sizeof *at);
        *at = value;
        ++size_;
    }
    /// Takes out the first number of [low, high), if there is one.
    bool erase_first_in(std::uint32_t low, std::uint32_t high) {
        std::uint32_t* const values = data();
        std::uint32_t* const end = values + size_;
        std::uint32_t* const at = std::lower_bound(values, end, low);
        if (at == end || *at >= high) return false;
        std::memmove(at, at + 1, static_cast<std::size_t>(end - at - 1) * sizeof *at);
        --size_;
        return true;
    }
    void clear() {
        release();
        size_ = 0;
        capacity_ = kInline;
    }

  private:
    static constexpr std::uint32_t kInline = 2;

    [[nodiscard]] std::uint32_t* data() noexcept {
        return capacity_ > kInline ? storage_.heap : storage_.near;
    }
    [[nodiscard]] const std::uint32_t* data() const noexcept {
        return capacity_ > kInline ? storage_.heap : storage_.near;
    }
    void reserve(std::uint32_t wanted) {
        if (wanted <= capacity_) return;
        auto* grown = new std::uint32_t[wanted];
        std::memcpy(grown, data(), size_ * sizeof *grown);
        release();
        storage_.heap = grown;
        capacity_ = wanted;
    }
    void release() noexcept {
        if (capacity_ > kInline) delete[] storage_.heap;
    }
    void swap(SortedList& other) noexcept {
        std::swap(storage_, other.storage_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    union Storage {
        std::uint32_t near[kInline] = {0, 0};
        std::uint32_t* heap;
    };
    Storage storage_;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = kInline;
};
static_assert(sizeof(SortedList) == 16);

}  // namespace aeterna::retrieval
