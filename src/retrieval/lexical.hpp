#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "retrieval/analysis.hpp"
#include "retrieval/probe_table.hpp"
#include "retrieval/sorted_list.hpp"

namespace aeterna::retrieval {

struct Bm25 {
    double k1 = 0.9;
    double b = 0.4;
};

/// Counts that a term's weight is made from; added up over the partitions of one search.
struct LexicalTotals {
    std::uint64_t documents = 0;
    std::uint64_t length = 0;            ///< terms of all documents
    std::vector<std::uint64_t> holders;  ///< documents that hold each query term
};

/// Postings of one partition. A document is a slot number; slots may be used again at once, because
/// removing takes every posting out. Not thread-safe.
class LexicalIndex {
  public:
    static constexpr std::uint32_t kMaxSlots = 1U << 26;
    static constexpr std::uint32_t kMaxCount = 63;  ///< a term repeated more counts this much

    /// The slot must be free.
    void insert(std::uint32_t slot, const AnalysedText& text);
    void remove(std::uint32_t slot);

    [[nodiscard]] std::uint64_t documents() const noexcept { return documents_; }
    [[nodiscard]] std::uint32_t length_of(std::uint32_t slot) const { return lengths_[slot]; }
    /// Adds this partition's counts; `totals.holders` gets one entry per term.
    void add_totals(std::span<const QueryTerm> terms, LexicalTotals& totals) const;
    /// BM25 of a document of mean length that holds every term once.
    [[nodiscard]] static double full_score(std::span<const QueryTerm> terms,
                                           const LexicalTotals& totals);
    /// scores[slot] += the document's BM25. `scores` has a place for every slot.
    void score(std::span<const QueryTerm> terms, const LexicalTotals& totals, const Bm25& bm25,
               std::span<float> scores) const;
    /// Which of `terms` the document holds, as indexes into `terms`; `resolved` from resolve().
    [[nodiscard]] std::vector<std::uint32_t> resolve(std::span<const QueryTerm> terms) const;
    [[nodiscard]] bool holds(std::uint32_t slot, std::uint32_t term) const;
    [[nodiscard]] bool is_free(std::uint32_t slot) const {
        return terms_of_[slot].empty() && lengths_[slot] == 0;
    }
    [[nodiscard]] std::size_t bytes() const noexcept;

    /// The whole index as flat arrays, terms in ascending order of hash.
    struct Image {
        std::vector<std::uint64_t> hashes;
        std::vector<std::uint32_t> counts;    ///< postings of each hash
        std::vector<std::uint32_t> postings;  ///< slot << 6 | count, ascending within a hash
        std::vector<std::uint32_t> lengths;   ///< by slot; 0 too for a free one
    };
    [[nodiscard]] Image image() const;
    /// False when the image contradicts itself; the index is then empty. Slots are below
    /// `image.lengths.size()`.
    [[nodiscard]] bool restore(std::span<const std::uint64_t> hashes,
                               std::span<const std::uint32_t> counts,
                               std::span<const std::uint32_t> postings,
                               std::span<const std::uint32_t> lengths, std::uint64_t documents);

  private:
    static constexpr std::uint32_t kCountBits = 6;

    [[nodiscard]] std::uint32_t find(std::uint64_t hash) const;
    std::uint32_t find_or_add(std::uint64_t hash);

    ProbeTable by_hash_;
    std::vector<std::uint64_t> hashes_;  // by term number
    std::vector<SortedList> postings_;   // by term number
    std::vector<std::uint32_t> free_terms_;
    std::vector<SortedList> terms_of_;    // by slot: term numbers
    std::vector<std::uint32_t> lengths_;  // by slot
    std::uint64_t documents_ = 0;
    std::uint64_t length_ = 0;
};

}  // namespace aeterna::retrieval
