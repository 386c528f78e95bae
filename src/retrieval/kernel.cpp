#include "retrieval/kernel.hpp"

#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace aeterna::retrieval {

namespace {

void dot_scalar(const std::int8_t* query, const std::int8_t* rows, std::size_t width,
                std::size_t count, std::int32_t* out) {
    for (std::size_t i = 0; i < count; ++i, rows += width) {
        std::int32_t sum = 0;
        for (std::size_t j = 0; j < width; ++j) sum += query[j] * rows[j];
        out[i] = sum;
    }
}

#if defined(__x86_64__)

constexpr std::size_t kPrefetchBytes = 4096;

[[gnu::target("avx2")]] std::int32_t sum_of(__m256i v) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

// Widened to 16 bits: the 8-bit multiply of AVX2 saturates.
[[gnu::target("avx2")]] void dot_avx2(const std::int8_t* query, const std::int8_t* rows,
                                      std::size_t width, std::size_t count, std::int32_t* out) {
    const auto load = [](const std::int8_t* at) __attribute__((target("avx2"))) {
        return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    };
    for (std::size_t i = 0; i < count; ++i, rows += width) {
        for (std::size_t j = 0; j < width; j += 64) {
            __builtin_prefetch(rows + j + kPrefetchBytes);
        }
        __m256i even = _mm256_setzero_si256();
        __m256i odd = _mm256_setzero_si256();
        for (std::size_t j = 0; j < width; j += 32) {
            even = _mm256_add_epi32(even, _mm256_madd_epi16(load(query + j), load(rows + j)));
            odd =
                _mm256_add_epi32(odd, _mm256_madd_epi16(load(query + j + 16), load(rows + j + 16)));
        }
        out[i] = sum_of(_mm256_add_epi32(even, odd));
    }
}

// The instruction multiplies unsigned by signed: rows are shifted by 128 and the shift taken off.
[[gnu::target("avx512f,avx512bw,avx512vnni")]] void dot_vnni(const std::int8_t* query,
                                                             const std::int8_t* rows,
                                                             std::size_t width, std::size_t count,
                                                             std::int32_t* out) {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
    __m512i shift = _mm512_setzero_si512();
    for (std::size_t j = 0; j < width; j += 64) {
        shift = _mm512_dpbusd_epi32(shift, flip, _mm512_loadu_si512(query + j));
    }
    const std::int32_t shifted_by = _mm512_reduce_add_epi32(shift);
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4, rows += 4 * width) {
        __m512i a = _mm512_setzero_si512();
        __m512i b = a;
        __m512i c = a;
        __m512i d = a;
        for (std::size_t j = 0; j < width; j += 64) {
            const __m512i q = _mm512_loadu_si512(query + j);
            const std::int8_t* at = rows + j;
            // The processor's own prefetching stops at every page.
            for (std::size_t row = 0; row < 4; ++row) {
                __builtin_prefetch(at + row * width + kPrefetchBytes);
            }
            a = _mm512_dpbusd_epi32(a, _mm512_xor_si512(_mm512_loadu_si512(at), flip), q);
            b = _mm512_dpbusd_epi32(b, _mm512_xor_si512(_mm512_loadu_si512(at + width), flip), q);
            c = _mm512_dpbusd_epi32(c, _mm512_xor_si512(_mm512_loadu_si512(at + 2 * width), flip),
                                    q);
            d = _mm512_dpbusd_epi32(d, _mm512_xor_si512(_mm512_loadu_si512(at + 3 * width), flip),
                                    q);
        }
        out[i] = _mm512_reduce_add_epi32(a) - shifted_by;
        out[i + 1] = _mm512_reduce_add_epi32(b) - shifted_by;
        out[i + 2] = _mm512_reduce_add_epi32(c) - shifted_by;
        out[i + 3] = _mm512_reduce_add_epi32(d) - shifted_by;
    }
    for (; i < count; ++i, rows += width) {
        __m512i a = _mm512_setzero_si512();
        for (std::size_t j = 0; j < width; j += 64) {
            a = _mm512_dpbusd_epi32(a, _mm512_xor_si512(_mm512_loadu_si512(rows + j), flip),
                                    _mm512_loadu_si512(query + j));
        }
        out[i] = _mm512_reduce_add_epi32(a) - shifted_by;
    }
}

#endif

std::vector<NamedKernel> runnable() {
    std::vector<NamedKernel> out;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw")) {
        out.push_back({"avx512-vnni", dot_vnni});
    }
    if (__builtin_cpu_supports("avx2")) out.push_back({"avx2", dot_avx2});
#endif
    out.push_back({"scalar", dot_scalar});
    return out;
}

}  // namespace

std::span<const NamedKernel> kernels() {
    static const std::vector<NamedKernel> all = runnable();
    return all;
}

DotKernel best_kernel() {
    return kernels().front().dot;
}

}  // namespace aeterna::retrieval
