#include "retrieval/embedding.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace aeterna::retrieval {

namespace {

constexpr std::size_t kHead = sizeof(float);
constexpr double kHighest = 127;  // of the high plane, so that -128 never occurs there

float scale_of(std::span<const std::uint8_t> bytes) noexcept {
    float scale = 0;
    std::memcpy(&scale, bytes.data(), sizeof scale);
    return scale;
}

/// Coordinate i in 1/256 of the scale.
std::int32_t fixed_point(const PackedVector& packed, std::size_t dimensions, std::size_t i) {
    const auto high = static_cast<std::int8_t>(packed.bytes[kHead + i]);
    const auto low = static_cast<std::int8_t>(packed.bytes[kHead + dimensions + i]);
    return high * 256 + low;
}

}  // namespace

PackedVector pack(std::span<const float> vector) {
    const std::size_t d = vector.size();
    PackedVector out;
    if (d == 0) return out;
    out.bytes.resize(kHead + 2 * d);

    double squares = 0;
    double largest = 0;
    for (const float x : vector) {
        squares += static_cast<double>(x) * static_cast<double>(x);
        largest = std::max(largest, std::abs(static_cast<double>(x)));
    }
    if (!(squares > 0) || !std::isfinite(squares)) return out;

    const auto scale = static_cast<float>(largest / std::sqrt(squares) / kHighest);
    std::memcpy(out.bytes.data(), &scale, sizeof scale);
    const double factor = kHighest * 256 / largest;
    for (std::size_t i = 0; i < d; ++i) {
        const auto fixed =
            static_cast<std::int32_t>(std::lround(static_cast<double>(vector[i]) * factor));
        // To the nearest, not down: the high plane alone is then an unbiased short form.
        const std::int32_t high = (fixed + 128) >> 8;
        out.bytes[kHead + i] = static_cast<std::uint8_t>(high);
        out.bytes[kHead + d + i] = static_cast<std::uint8_t>(fixed - high * 256);
    }
    return out;
}

std::vector<float> unpack(const PackedVector& packed) {
    const std::size_t d = packed.dimensions();
    std::vector<float> out(d);
    if (d == 0) return out;
    const float step = scale_of(packed.bytes) / 256.0F;
    for (std::size_t i = 0; i < d; ++i) {
        out[i] = step * static_cast<float>(fixed_point(packed, d, i));
    }
    return out;
}

bool is_well_formed(std::span<const std::uint8_t> bytes) noexcept {
    if (bytes.size() < kHead + 2 || bytes.size() % 2 != 0) return false;
    const float scale = scale_of(bytes);
    return std::isfinite(scale) && scale >= 0;
}

float cosine(const PackedVector& a, const PackedVector& b) {
    const std::size_t d = a.dimensions();
    if (d == 0 || d != b.dimensions()) return 0;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < d; ++i) {
        sum += static_cast<std::int64_t>(fixed_point(a, d, i)) * fixed_point(b, d, i);
    }
    const double steps =
        static_cast<double>(scale_of(a.bytes)) * static_cast<double>(scale_of(b.bytes)) / 65536.0;
    return static_cast<float>(std::clamp(static_cast<double>(sum) * steps, -1.0, 1.0));
}

}  // namespace aeterna::retrieval
