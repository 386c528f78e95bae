#include "retrieval/fusion.hpp"

namespace aeterna::retrieval {

double fuse(std::uint32_t lexical_rank, std::uint32_t vector_rank, bool vectors,
            const Fusion& fusion) {
    const auto share = [&](double weight, std::uint32_t rank) {
        return rank == 0 ? 0.0 : weight / (fusion.k + rank);
    };
    const double best =
        (fusion.lexical_weight + (vectors ? fusion.vector_weight : 0)) / (fusion.k + 1);
    if (best <= 0) return 0;
    return (share(fusion.lexical_weight, lexical_rank) +
            (vectors ? share(fusion.vector_weight, vector_rank) : 0)) /
           best;
}

std::vector<std::size_t> fold_near_duplicates(std::span<const PackedVector* const> vectors,
                                              std::size_t wanted, float threshold) {
    std::vector<std::size_t> out(vectors.size(), kNotLookedAt);
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        std::size_t under = i;
        for (std::size_t k = 0; vectors[i] != nullptr && k < kept.size() && under == i; ++k) {
            const PackedVector* other = vectors[kept[k]];
            if (other == nullptr || other->empty() ||
                other->dimensions() != vectors[i]->dimensions()) {
                continue;
            }
            if (cosine(*vectors[i], *other) >= threshold) under = kept[k];
        }
        if (under == i) {
            if (kept.size() == wanted) continue;
            kept.push_back(i);
        }
        out[i] = under;
    }
    return out;
}

}  // namespace aeterna::retrieval
