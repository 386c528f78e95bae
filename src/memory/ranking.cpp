#include "memory/ranking.hpp"

#include <algorithm>
#include <cmath>

#include "retrieval/embedding.hpp"
#include "retrieval/fusion.hpp"

namespace aeterna::memory {

namespace {

/// Only the head of the list is compared pairwise; nobody pages deeper than this.
constexpr std::size_t kFoldDepth = 150;
/// Two scores closer than this are a tie, which the layer decides. Less than one step at the head
/// of a ranking (1/61 against 1/62 is 0.008), more than some hours of decay.
constexpr double kTie = 0.005;

double days_between(Timestamp from, Timestamp to) {
    return std::max(0.0, std::chrono::duration<double, std::ratio<86400>>(to - from).count());
}

/// Competition ranking: equal scores share a rank, so that the same words in two layers truly tie.
template <class Score>
std::vector<std::uint32_t> shared_ranks(const std::vector<Candidate>& items,
                                        std::uint32_t Candidate::* rank_of, Score score) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < items.size(); ++i) {
        if (items[i].*rank_of != 0) order.push_back(i);
    }
    std::ranges::sort(order, {}, [&](std::uint32_t i) { return items[i].*rank_of; });
    std::vector<std::uint32_t> out(items.size(), 0);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const bool same = i > 0 && score(items[order[i]]) == score(items[order[i - 1]]);
        out[order[i]] = same ? out[order[i - 1]] : static_cast<std::uint32_t>(i + 1);
    }
    return out;
}

}  // namespace

std::vector<Ranked> rank(const Candidates& candidates, double threshold, Timestamp now) {
    const auto& items = candidates.items;
    const auto lexical =
        shared_ranks(items, &Candidate::lexical_rank, [](const Candidate& c) { return c.bm25; });
    const auto vector = shared_ranks(items, &Candidate::vector_rank,
                                     [](const Candidate& c) { return c.cosine.value_or(0); });

    std::vector<Ranked> ranked;
    for (std::size_t i = 0; i < items.size(); ++i) {
        Ranked row;
        row.candidate = i;
        row.fused =
            retrieval::fuse({lexical[i], items[i].coverage},
                            {vector[i], items[i].cosine.value_or(0)}, candidates.vector_ranking);
        row.decay =
            std::pow(1 - decay_per_day(items[i].layer), days_between(items[i].updated_at, now));
        row.importance_factor = 0.8 + 0.4 * items[i].importance;
        row.score = std::clamp(row.fused * row.decay * row.importance_factor, 0.0, 1.0);
        if (row.score > 0 && row.score >= threshold) ranked.push_back(std::move(row));
    }
    std::ranges::sort(ranked, [&](const Ranked& a, const Ranked& b) {
        if (a.score != b.score) return a.score > b.score;
        return a.candidate < b.candidate;
    });
    // Ties are settled in runs of equal score, so that the order stays transitive.
    for (std::size_t start = 0; start < ranked.size();) {
        std::size_t end = start + 1;
        while (end < ranked.size() && ranked[start].score - ranked[end].score <= kTie) ++end;
        std::sort(ranked.begin() + static_cast<std::ptrdiff_t>(start),
                  ranked.begin() + static_cast<std::ptrdiff_t>(end),
                  [&](const Ranked& a, const Ranked& b) {
                      const Candidate& left = items[a.candidate];
                      const Candidate& right = items[b.candidate];
                      if (left.layer != right.layer) return left.layer < right.layer;
                      if (left.updated_at != right.updated_at)
                          return left.updated_at > right.updated_at;
                      return left.id > right.id;
                  });
        start = end;
    }

    std::vector<const retrieval::PackedVector*> vectors;
    for (const Ranked& row : ranked) vectors.push_back(&items[row.candidate].vector);
    const auto under = retrieval::fold_near_duplicates(vectors, kFoldDepth);
    std::vector<Ranked> kept;
    std::vector<std::size_t> place(ranked.size());
    for (std::size_t i = 0; i < ranked.size(); ++i) {
        if (under[i] != i && under[i] != retrieval::kNotLookedAt) {
            kept[place[under[i]]].folded.push_back(items[ranked[i].candidate].id);
            continue;
        }
        place[i] = kept.size();
        kept.push_back(std::move(ranked[i]));
    }
    return kept;
}

}  // namespace aeterna::memory
