#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "retrieval/embedding.hpp"

namespace aeterna::retrieval {

/// Below this cosine a memory says nothing about the query.
inline constexpr float kMinCosine = 0.1F;

/// Reciprocal rank fusion: Σ weight / (k + rank).
struct Fusion {
    double k = 60;
    double lexical_weight = 1;
    double vector_weight = 1;
};

/// 0..1; 1 for the first of both rankings. A rank of 0 means: not in that ranking. Without
/// `vectors` (no vector ranking was made) the lexical one alone reaches 1.
[[nodiscard]] double fuse(std::uint32_t lexical_rank, std::uint32_t vector_rank, bool vectors,
                          const Fusion& fusion = {});

inline constexpr float kNearDuplicate = 0.95F;

/// Folds near-duplicates under the best: `vectors` are in ranking order (empty or null: never
/// folded). out[i] is i for what stays, else the index of the kept one that i is folded under.
/// Compares each with the kept ones until `wanted` are kept; the rest gets kNotLookedAt.
[[nodiscard]] std::vector<std::size_t> fold_near_duplicates(
    std::span<const PackedVector* const> vectors, std::size_t wanted,
    float threshold = kNearDuplicate);
inline constexpr std::size_t kNotLookedAt = static_cast<std::size_t>(-1);

}  // namespace aeterna::retrieval
