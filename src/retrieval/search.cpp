#include "retrieval/search.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace aeterna::retrieval {

namespace {

/// A document found by one ranking.
struct Found {
    float score = 0;
    std::uint32_t place = 0;  ///< index into the searched partitions
    std::uint32_t slot = 0;
};

class Search {
  public:
    Search(const Query& query, std::span<const SearchedPartition> partitions)
        : query_(query),
          partitions_(partitions),
          depth_(std::min(query.depth, Query::kMaxDepth)),
          terms_(analyse_query(query.text)),
          passes_(partitions.size()) {
        if (query.vector && query.vector->dimensions() != 0 &&
            query.vector->dimensions() <= Partition::kMaxDimensions &&
            is_well_formed(query.vector->bytes)) {
            probe_ = std::make_unique<VectorRows::Probe>(*query.vector);
            dimensions_ = query.vector->dimensions();
        }
    }

    Matches run() {
        for (std::size_t i = 0; i < partitions_.size(); ++i) {
            out_.scanned += part(i).filter(query_.conditions, query_.now, passes_[i]);
        }
        score_terms();
        const auto by_terms = lexical_ranking();
        const auto by_vectors = vector_ranking();
        out_.items.reserve(by_terms.size() + by_vectors.size());
        for (std::uint32_t i = 0; i < by_terms.size(); ++i) {
            match_for(by_terms[i]).lexical_rank = i + 1;
        }
        for (std::uint32_t i = 0; i < by_vectors.size(); ++i) {
            match_for(by_vectors[i]).vector_rank = i + 1;
        }
        return std::move(out_);
    }

  private:
    [[nodiscard]] const Partition& part(std::size_t place) const {
        return *partitions_[place].partition;
    }
    [[nodiscard]] const Partition::Entry& entry(const Found& found) const {
        return part(found.place).entries()[found.slot];
    }
    [[nodiscard]] bool passes(std::size_t place, std::uint32_t slot) const {
        return passes_[place].empty() || passes_[place][slot] != 0;
    }

    /// Higher score, then more specific layer, then newer.
    [[nodiscard]] bool better(const Found& a, const Found& b) const {
        if (a.score != b.score) return a.score > b.score;
        const auto& x = entry(a);
        const auto& y = entry(b);
        if (x.layer != y.layer) return x.layer < y.layer;
        if (x.id != y.id) return x.id > y.id;
        return a.place < b.place;
    }
    void cut(std::vector<Found>& found, std::size_t limit) const {
        if (found.size() <= limit) return;
        std::ranges::nth_element(found, found.begin() + static_cast<std::ptrdiff_t>(limit),
                                 [&](const Found& a, const Found& b) { return better(a, b); });
        found.resize(limit);
    }
    void rank(std::vector<Found>& found) const {
        cut(found, depth_);
        std::ranges::sort(found, [&](const Found& a, const Found& b) { return better(a, b); });
    }

    void score_terms() {
        // Kept by the thread: a search must not allocate and page in megabytes each time.
        thread_local std::vector<float> all_scores;
        std::size_t slots = 0;
        for (const auto& [number, partition] : partitions_) {
            starts_.push_back(slots);
            slots += partition->entries().size();
        }
        all_scores.assign(slots, 0.0F);
        scores_ = all_scores;
        LexicalTotals totals;
        for (const auto& [number, partition] : partitions_) {
            partition->lexical().add_totals(terms_, totals);
        }
        full_score_ = LexicalIndex::full_score(terms_, totals);
        for (std::size_t i = 0; i < partitions_.size(); ++i) {
            part(i).lexical().score(terms_, totals, query_.bm25, scores_of(i));
            resolved_.push_back(part(i).lexical().resolve(terms_));
        }
    }
    [[nodiscard]] std::span<float> scores_of(std::size_t place) const {
        return scores_.subspan(starts_[place], part(place).entries().size());
    }

    std::vector<Found> lexical_ranking() const {
        std::vector<Found> found;
        if (terms_.empty() || depth_ == 0) return found;
        float threshold = std::numeric_limits<float>::min();  // 0 is no hit
        for (std::uint32_t place = 0; place < partitions_.size(); ++place) {
            const auto scores = scores_of(place);
            for (std::uint32_t slot = 0; slot < scores.size(); ++slot) {
                if (scores[slot] < threshold || !passes(place, slot)) continue;
                found.push_back({scores[slot], place, slot});
                if (found.size() < 4 * depth_) continue;
                cut(found, depth_);
                threshold = std::ranges::min(found, {}, &Found::score).score;
            }
        }
        rank(found);
        return found;
    }

    [[nodiscard]] const VectorRows* rows_of(std::size_t place) const {
        return probe_ ? part(place).vectors_of(query_.embedder, dimensions_) : nullptr;
    }

    std::vector<Found> vector_ranking() {
        std::vector<Found> found;
        for (std::uint32_t place = 0; place < partitions_.size(); ++place) {
            const VectorRows* rows = rows_of(place);
            out_.without_vector += part(place).documents() - (rows == nullptr ? 0 : rows->size());
            if (rows == nullptr) continue;
            // The high planes choose, both decide: twice is far more than their error asks for.
            for (const auto& hit : rows->scan(*probe_, passes_[place], 2 * depth_)) {
                found.push_back({hit.score, place, rows->slot_of(hit.row)});
            }
        }
        std::erase_if(found, [&](Found& candidate) {
            candidate.score = rows_of(candidate.place)->cosine(*probe_, entry(candidate).row);
            return candidate.score < query_.min_cosine;
        });
        rank(found);
        return found;
    }

    Match& match_for(const Found& found) {
        const std::uint64_t key = std::uint64_t{found.place} << 32 | found.slot;
        const auto [at, added] = seen_.try_emplace(key, out_.items.size());
        if (!added) return out_.items[at->second];
        Match& match = out_.items.emplace_back();
        const auto& from = entry(found);
        match.id = from.id;
        match.version = from.version;
        match.created = from.created;
        match.updated = from.updated;
        match.importance = from.importance;
        match.layer = from.layer;
        match.partition = partitions_[found.place].number;
        match.bm25 = scores_of(found.place)[found.slot];
        if (full_score_ > 0) {
            match.coverage =
                static_cast<float>(std::min(1.0, static_cast<double>(match.bm25) / full_score_));
        }
        const VectorRows* rows = rows_of(found.place);
        if (rows != nullptr && from.vectors != Partition::kNoVectors &&
            &part(found.place).vectors()[from.vectors] == rows) {
            match.cosine = rows->cosine(*probe_, from.row);
            match.vector = rows->at(from.row);
        }
        const auto& resolved = resolved_[found.place];
        for (std::size_t i = 0; match.bm25 > 0 && i < terms_.size(); ++i) {
            if (part(found.place).lexical().holds(found.slot, resolved[i]) &&
                std::ranges::find(match.terms, terms_[i].surface) == match.terms.end()) {
                match.terms.push_back(terms_[i].surface);
            }
        }
        return match;
    }

    const Query& query_;
    std::span<const SearchedPartition> partitions_;
    std::size_t depth_;
    std::vector<QueryTerm> terms_;
    std::vector<std::vector<std::uint8_t>> passes_;
    std::unique_ptr<VectorRows::Probe> probe_;  // null: no vector ranking
    std::size_t dimensions_ = 0;
    std::vector<std::size_t> starts_;
    std::span<float> scores_;
    double full_score_ = 0;
    std::vector<std::vector<std::uint32_t>> resolved_;
    std::unordered_map<std::uint64_t, std::size_t> seen_;
    Matches out_;
};

}  // namespace

Matches search_partitions(const Query& query, std::span<const SearchedPartition> partitions) {
    return Search(query, partitions).run();
}

}  // namespace aeterna::retrieval
