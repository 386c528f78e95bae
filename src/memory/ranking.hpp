#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "memory/ports.hpp"

namespace aeterna::memory {

/// Why a memory stands where it stands; answered with `explain`.
struct Ranked {
    std::size_t candidate = 0;  ///< index into Candidates::items
    double score = 0;           ///< 0..1, what the list is ordered by
    double fused = 0;  ///< 0..1, reciprocal ranks of both rankings before the two factors below
    double decay = 1;  ///< (1 - rate of the layer) ^ days since the last change
    double importance_factor = 1;  ///< 1 at importance 0.5; 0.8 at 0; 1.2 at 1
    std::vector<MemoryId> folded;  ///< near-duplicates that stand behind this one
};

/// Fuses, decays, weighs, folds near-duplicates (cosine ≥ 0.95) and orders best first: on a tie the
/// more specific layer, then the younger, then the larger id. Pure and deterministic. Leaves out
/// scores below `threshold`.
[[nodiscard]] std::vector<Ranked> rank(const Candidates& candidates, double threshold,
                                       Timestamp now);

}  // namespace aeterna::memory
