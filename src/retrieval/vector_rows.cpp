#include "retrieval/vector_rows.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace aeterna::retrieval {

namespace {

float scale_of(const PackedVector& vector) {
    float scale = 0;
    std::memcpy(&scale, vector.bytes.data(), sizeof scale);
    return scale;
}

void keep_best(std::vector<VectorRows::Hit>& hits, std::size_t limit) {
    std::ranges::nth_element(hits, hits.begin() + static_cast<std::ptrdiff_t>(limit) - 1,
                             [](const auto& a, const auto& b) {
                                 return a.score != b.score ? a.score > b.score : a.row < b.row;
                             });
    hits.resize(limit);
}

}  // namespace

VectorRows::Probe::Probe(const PackedVector& vector)
    : scale_(scale_of(vector)), high_(padded(vector.dimensions())), low_(high_.size()) {
    const std::size_t d = vector.dimensions();
    std::memcpy(high_.data(), vector.bytes.data() + 4, d);
    std::memcpy(low_.data(), vector.bytes.data() + 4 + d, d);
}

VectorRows::Plane VectorRows::new_plane(std::size_t rows) const {
    constexpr std::size_t kHugePage = 2UL << 20;
    const std::size_t size = rows * width_;
    const bool huge = size >= kHugePage;
    Plane plane(static_cast<std::int8_t*>(std::aligned_alloc(huge ? kHugePage : kRowBlock, size)));
    if (!plane) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    // A scan walks through every page: with small ones it waits for addresses more than for data.
    if (huge) (void)madvise(plane.get(), size, MADV_HUGEPAGE);
#endif
    if (width_ != dimensions_) std::memset(plane.get(), 0, size);
    return plane;
}

void VectorRows::make_room() {
    const std::uint32_t rows = size();
    if (rows == 0 || rows % kChunkRows == 0) {
        if (rows / kChunkRows < chunks_.size()) return;  // left over from a removal
        const std::uint32_t capacity = rows == 0 ? 2 : kChunkRows;
        chunks_.push_back(new_chunk(capacity));
        return;
    }
    // Only the first chunk starts small: most scopes hold few memories.
    Chunk& last = chunks_[rows / kChunkRows];
    if (rows % kChunkRows < last.capacity) return;
    Chunk grown = new_chunk(last.capacity * 2);
    std::memcpy(grown.high.get(), last.high.get(), last.capacity * width_);
    std::memcpy(grown.low.get(), last.low.get(), last.capacity * width_);
    last = std::move(grown);
}

void VectorRows::add(std::uint32_t slot, const PackedVector& vector) {
    make_room();
    const std::uint32_t row = size();
    std::memcpy(high(row), vector.bytes.data() + 4, dimensions_);
    std::memcpy(low(row), vector.bytes.data() + 4 + dimensions_, dimensions_);
    scales_.push_back(scale_of(vector));
    slots_.push_back(slot);
}

std::uint32_t VectorRows::remove(std::uint32_t row) {
    const std::uint32_t last = size() - 1;
    std::uint32_t moved = kNobody;
    if (row != last) {
        std::memcpy(high(row), high(last), width_);
        std::memcpy(low(row), low(last), width_);
        scales_[row] = scales_[last];
        slots_[row] = slots_[last];
        moved = slots_[row];
    }
    scales_.pop_back();
    slots_.pop_back();
    // One spare chunk is kept, so that a row at the border does not allocate each time.
    while (chunks_.size() > last / kChunkRows + 2UL) chunks_.pop_back();
    return moved;
}

PackedVector VectorRows::at(std::uint32_t row) const {
    PackedVector out;
    out.bytes.resize(4 + 2 * dimensions_);
    std::memcpy(out.bytes.data(), &scales_[row], 4);
    std::memcpy(out.bytes.data() + 4, high(row), dimensions_);
    std::memcpy(out.bytes.data() + 4 + dimensions_, low(row), dimensions_);
    return out;
}

void VectorRows::copy_planes(std::uint8_t* high_out, std::uint8_t* low_out) const {
    for (std::uint32_t row = 0; row < size(); ++row) {
        std::memcpy(high_out + row * dimensions_, high(row), dimensions_);
        std::memcpy(low_out + row * dimensions_, low(row), dimensions_);
    }
}

void VectorRows::restore(std::span<const std::uint32_t> slots, std::span<const float> scales,
                         const std::uint8_t* high_in, const std::uint8_t* low_in) {
    slots_.assign(slots.begin(), slots.end());
    scales_.assign(scales.begin(), scales.end());
    for (std::uint32_t first = 0; first < size(); first += kChunkRows) {
        const std::uint32_t rows = std::min(kChunkRows, size() - first);
        std::uint32_t capacity = first == 0 ? 2 : kChunkRows;
        while (capacity < rows) capacity *= 2;
        chunks_.push_back(new_chunk(capacity));
        if (width_ == dimensions_) {
            std::memcpy(high(first), high_in + first * width_, rows * width_);
            std::memcpy(low(first), low_in + first * width_, rows * width_);
            continue;
        }
        for (std::uint32_t row = first; row < first + rows; ++row) {
            std::memcpy(high(row), high_in + row * dimensions_, dimensions_);
            std::memcpy(low(row), low_in + row * dimensions_, dimensions_);
        }
    }
}

std::size_t VectorRows::bytes() const noexcept {
    std::size_t total = scales_.capacity() * sizeof(float) + slots_.capacity() * 4;
    for (const Chunk& chunk : chunks_) total += 2 * chunk.capacity * width_;
    return total;
}

std::vector<VectorRows::Hit> VectorRows::scan(const Probe& probe,
                                              std::span<const std::uint8_t> passes,
                                              std::size_t limit) const {
    std::vector<Hit> hits;
    if (limit == 0) return hits;
    hits.reserve(4 * limit);
    float threshold = -std::numeric_limits<float>::infinity();
    const auto consider = [&](float score, std::uint32_t row) {
        if (score < threshold) return;
        if (!passes.empty() && passes[slots_[row]] == 0) return;
        hits.push_back({score, row});
        if (hits.size() < 4 * limit) return;
        keep_best(hits, limit);
        threshold = hits.back().score;
        for (const Hit& hit : hits) threshold = std::min(threshold, hit.score);
    };
    const DotKernel dot = best_kernel();
    const auto sparse = [&] {
        std::size_t passing = 0;
        for (const std::uint8_t pass : passes) passing += pass;
        return !passes.empty() && passing * 4 < passes.size();
    }();
    static_assert(kChunkRows % kBlockRows == 0);
    std::int32_t sums[kBlockRows];
    for (std::uint32_t first = 0; first < size(); first += kBlockRows) {
        const std::uint32_t count = std::min(kBlockRows, size() - first);
        if (sparse) {
            for (std::uint32_t row = first; row < first + count; ++row) {
                if (passes[slots_[row]] == 0) continue;
                dot(probe.high_.data(), high(row), width_, 1, sums);
                consider(static_cast<float>(sums[0]) * scales_[row], row);
            }
            continue;
        }
        dot(probe.high_.data(), high(first), width_, count, sums);
        for (std::uint32_t i = 0; i < count; ++i) {
            consider(static_cast<float>(sums[i]) * scales_[first + i], first + i);
        }
    }
    if (hits.size() > limit) keep_best(hits, limit);
    return hits;
}

float VectorRows::cosine(const Probe& probe, std::uint32_t row) const {
    const DotKernel dot = best_kernel();
    std::int32_t hh = 0;
    std::int32_t hl = 0;
    std::int32_t lh = 0;
    std::int32_t ll = 0;
    dot(probe.high_.data(), high(row), width_, 1, &hh);
    dot(probe.high_.data(), low(row), width_, 1, &hl);
    dot(probe.low_.data(), high(row), width_, 1, &lh);
    dot(probe.low_.data(), low(row), width_, 1, &ll);
    const double sum = hh + (static_cast<double>(hl) + lh) / 256.0 + ll / 65536.0;
    const double cosine =
        sum * static_cast<double>(probe.scale_) * static_cast<double>(scales_[row]);
    return static_cast<float>(std::clamp(cosine, -1.0, 1.0));
}

}  // namespace aeterna::retrieval
