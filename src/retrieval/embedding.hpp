#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::retrieval {

/// A unit vector in 16-bit fixed point, split in two planes so that a scan reads half of it:
/// x[i] ≈ scale · (hi[i] + lo[i] / 256), both planes int8, hi rounded to the nearest and never
/// -128. Layout of `bytes`: scale (float32 LE), hi[d], lo[d].
struct PackedVector {
    std::vector<std::uint8_t> bytes;

    [[nodiscard]] bool empty() const noexcept { return bytes.empty(); }
    [[nodiscard]] std::size_t dimensions() const noexcept {
        return bytes.size() < 4 ? 0 : (bytes.size() - 4) / 2;
    }
    bool operator==(const PackedVector&) const = default;
};

/// Normalises to length 1 first; a vector without a direction (zero, or not finite) packs to zeros.
[[nodiscard]] PackedVector pack(std::span<const float> vector);
[[nodiscard]] std::vector<float> unpack(const PackedVector& packed);
/// True when the bytes have a legal length and a finite scale.
[[nodiscard]] bool is_well_formed(std::span<const std::uint8_t> bytes) noexcept;
/// Cosine of two packed unit vectors; 0 when their dimensions differ. Exact to 1e-5.
[[nodiscard]] float cosine(const PackedVector& a, const PackedVector& b);

}  // namespace aeterna::retrieval
