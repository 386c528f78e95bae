#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "retrieval/embedding.hpp"
#include "retrieval/kernel.hpp"

namespace aeterna::retrieval {

/// The vectors of one embedder in one partition: dense rows, high and low plane apart, in chunks
/// that never move once they are full. Removing a row puts the last one in its place. Not
/// thread-safe.
class VectorRows {
  public:
    VectorRows(std::string embedder, std::size_t dimensions)
        : embedder_(std::move(embedder)), dimensions_(dimensions), width_(padded(dimensions)) {}

    [[nodiscard]] const std::string& embedder() const noexcept { return embedder_; }
    [[nodiscard]] std::size_t dimensions() const noexcept { return dimensions_; }
    [[nodiscard]] std::uint32_t size() const noexcept {
        return static_cast<std::uint32_t>(slots_.size());
    }
    [[nodiscard]] std::uint32_t slot_of(std::uint32_t row) const { return slots_[row]; }
    [[nodiscard]] std::span<const std::uint32_t> slots() const noexcept { return slots_; }
    [[nodiscard]] std::span<const float> scales() const noexcept { return scales_; }

    /// The vector has the dimensions of this set. Its row is size() - 1 afterwards.
    void add(std::uint32_t slot, const PackedVector& vector);
    /// Returns the slot whose row is now `row`; kNobody when it was the last.
    std::uint32_t remove(std::uint32_t row);
    [[nodiscard]] PackedVector at(std::uint32_t row) const;
    [[nodiscard]] std::size_t bytes() const noexcept;

    /// Both planes of all rows without padding: size() · dimensions() bytes each.
    void copy_planes(std::uint8_t* high, std::uint8_t* low) const;
    /// Fills an empty set; the planes as copy_planes() wrote them.
    void restore(std::span<const std::uint32_t> slots, std::span<const float> scales,
                 const std::uint8_t* high, const std::uint8_t* low);
    static constexpr std::uint32_t kNobody = 0xffffffffU;

    /// A query against rows of the same dimensions.
    class Probe {
      public:
        explicit Probe(const PackedVector& vector);

      private:
        friend class VectorRows;
        float scale_ = 0;
        std::vector<std::int8_t> high_, low_;
    };
    struct Hit {
        float score = 0;
        std::uint32_t row = 0;
    };
    /// The `limit` best rows by the high planes alone, in no order. `passes` (by slot) may be
    /// empty: all pass.
    [[nodiscard]] std::vector<Hit> scan(const Probe& probe, std::span<const std::uint8_t> passes,
                                        std::size_t limit) const;
    /// With both planes: as exact as the stored vectors are.
    [[nodiscard]] float cosine(const Probe& probe, std::uint32_t row) const;

  private:
    static constexpr std::uint32_t kChunkRows = 8192;
    static constexpr std::uint32_t kBlockRows = 512;  ///< scored at a time

    struct Free {
        void operator()(std::int8_t* memory) const noexcept { std::free(memory); }
    };
    using Plane = std::unique_ptr<std::int8_t[], Free>;
    struct Chunk {
        Plane high, low;
        std::uint32_t capacity = 0;
    };
    /// The padding is zero.
    [[nodiscard]] Plane new_plane(std::size_t rows) const;
    [[nodiscard]] Chunk new_chunk(std::uint32_t rows) const {
        return {new_plane(rows), new_plane(rows), rows};
    }
    [[nodiscard]] std::int8_t* high(std::uint32_t row) const {
        return chunks_[row / kChunkRows].high.get() + row % kChunkRows * width_;
    }
    [[nodiscard]] std::int8_t* low(std::uint32_t row) const {
        return chunks_[row / kChunkRows].low.get() + row % kChunkRows * width_;
    }
    void make_room();

    std::string embedder_;
    std::size_t dimensions_;
    std::size_t width_;
    std::vector<Chunk> chunks_;
    std::vector<float> scales_;
    std::vector<std::uint32_t> slots_;
};

}  // namespace aeterna::retrieval
