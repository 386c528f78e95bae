#include "retrieval/fusion.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "retrieval/kernel.hpp"

namespace aeterna::retrieval {

namespace {

struct Kept {
    std::vector<std::size_t> rows;
    std::vector<std::int8_t> planes;  ///< the high ones, padded
};

float scale_of(const PackedVector& vector) {
    float scale = 0;
    std::memcpy(&scale, vector.bytes.data(), sizeof scale);
    return scale;
}

}  // namespace

double fuse(Standing lexical, Standing vector, bool vectors, const Fusion& fusion) {
    const auto share = [&](double weight, const Standing& standing) {
        if (standing.rank == 0) return 0.0;
        return weight * std::clamp(standing.strength, 0.0, 1.0) / (fusion.k + standing.rank);
    };
    const double vector_weight = vectors ? fusion.vector_weight : 0;
    const double best = (fusion.lexical_weight + vector_weight) / (fusion.k + 1);
    if (best <= 0) return 0;
    return (share(fusion.lexical_weight, lexical) + share(vector_weight, vector)) / best;
}

std::vector<std::size_t> fold_near_duplicates(std::span<const PackedVector* const> vectors,
                                              std::size_t wanted, float threshold) {
    std::vector<std::size_t> out(vectors.size(), kNotLookedAt);
    std::map<std::size_t, Kept> kept;  // by dimensions
    std::size_t kept_count = 0;
    std::vector<std::int8_t> plane;
    std::vector<std::int32_t> sums;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        const PackedVector* const vector = vectors[i];
        std::size_t under = i;
        Kept* alike = nullptr;
        if (vector != nullptr && is_well_formed(vector->bytes)) {
            const std::size_t width = padded(vector->dimensions());
            plane.assign(width, 0);
            std::memcpy(plane.data(), vector->bytes.data() + sizeof(float), vector->dimensions());
            alike = &kept[vector->dimensions()];
            sums.resize(alike->rows.size());
            const float root = std::sqrt(static_cast<float>(width));
            best_kernel()(plane.data(), alike->planes.data(), width, sums.size(), sums.data());
            for (std::size_t k = 0; k < sums.size() && under == i; ++k) {
                const PackedVector& other = *vectors[alike->rows[k]];
                const float about =
                    static_cast<float>(sums[k]) * scale_of(*vector) * scale_of(other);
                // More than the low planes, half a step per coordinate, can add.
                const float error = 0.6F * root * (scale_of(*vector) + scale_of(other));
                if (about < threshold - error) continue;
                if (cosine(*vector, other) >= threshold) under = alike->rows[k];
            }
        }
        if (under == i) {
            if (kept_count == wanted) continue;
            ++kept_count;
            if (alike != nullptr) {
                alike->rows.push_back(i);
                alike->planes.insert(alike->planes.end(), plane.begin(), plane.end());
            }
        }
        out[i] = under;
    }
    return out;
}

}  // namespace aeterna::retrieval
