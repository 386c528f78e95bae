#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace aeterna::retrieval {

/// Rows are padded with zeros to a multiple of this many bytes.
inline constexpr std::size_t kRowBlock = 64;
[[nodiscard]] constexpr std::size_t padded(std::size_t dimensions) noexcept {
    return (dimensions + kRowBlock - 1) / kRowBlock * kRowBlock;
}

/// out[i] = Σ query[j] · rows[i · width + j]; `width` is a multiple of kRowBlock, at most 2^16.
/// Exact, so that every kernel gives the same answer.
using DotKernel = void (*)(const std::int8_t* query, const std::int8_t* rows, std::size_t width,
                           std::size_t count, std::int32_t* out);

struct NamedKernel {
    std::string_view name;
    DotKernel dot;
};
/// Those that this processor can run, best first; the last is "scalar".
[[nodiscard]] std::span<const NamedKernel> kernels();
[[nodiscard]] DotKernel best_kernel();

}  // namespace aeterna::retrieval
