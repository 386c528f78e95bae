#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "retrieval/embedding.hpp"

namespace aeterna::retrieval {

/// Below this cosine a memory says nothing about the query. Low, for a word against a sentence that
/// means the same
/// ("coffee", "the espresso machine is on the third floor") has a cosine of 0.12; strangers mostly
/// stay under 0.1.
inline constexpr float kMinCosine = 0.1F;

/// Where a document stands in one ranking.
struct Standing {
    std::uint32_t rank = 0;  ///< 1 is best; 0: not in that ranking
    double strength = 1;     ///< 0..1: how good a hit it is by itself (coverage, cosine)
};

/// Reciprocal rank fusion in which a hit counts by its strength, so that the first of many bad hits
/// does not beat a good one: Σ weight · strength / (k + rank). Chosen by measuring
/// (docs/adr/0004-exact-scan-per-scope.md).
struct Fusion {
    double k = 60;
    double lexical_weight = 1;
    double vector_weight = 0.7;
};

/// 0..1; 1 for a full hit that is first in both rankings. Without `vectors` (no vector ranking was
/// made) the lexical one alone reaches 1.
[[nodiscard]] double fuse(Standing lexical, Standing vector, bool vectors,
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
