#include "retrieval/lexical.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace aeterna::retrieval {

namespace {

double rarity(std::uint64_t documents, std::uint64_t holders) {
    const auto n = static_cast<double>(holders);
    return std::log(1 + (static_cast<double>(documents) - n + 0.5) / (n + 0.5));
}

}  // namespace

std::uint32_t LexicalIndex::find(std::uint64_t hash) const {
    return by_hash_.find(hash, [&](std::uint32_t term) { return hashes_[term] == hash; });
}

std::uint32_t LexicalIndex::find_or_add(std::uint64_t hash) {
    std::uint32_t term = find(hash);
    if (term != ProbeTable::kNone) return term;
    if (free_terms_.empty()) {
        term = static_cast<std::uint32_t>(hashes_.size());
        hashes_.push_back(hash);
        postings_.emplace_back();
    } else {
        term = free_terms_.back();
        free_terms_.pop_back();
        hashes_[term] = hash;
    }
    by_hash_.insert(hash, term, [&](std::uint32_t row) { return hashes_[row]; });
    return term;
}

void LexicalIndex::insert(std::uint32_t slot, const AnalysedText& text) {
    if (slot >= lengths_.size()) {
        lengths_.resize(slot + 1);
        terms_of_.resize(slot + 1);
    }
    std::vector<std::uint32_t> terms;
    terms.reserve(text.terms.size());
    for (const TermCount& entry : text.terms) {
        const std::uint32_t term = find_or_add(entry.hash);
        postings_[term].insert(slot << kCountBits | std::min(entry.count, kMaxCount));
        terms.push_back(term);
    }
    std::ranges::sort(terms);
    terms_of_[slot] = SortedList(terms);
    lengths_[slot] = text.length;
    length_ += text.length;
    ++documents_;
}

void LexicalIndex::remove(std::uint32_t slot) {
    for (const std::uint32_t term : terms_of_[slot].values()) {
        postings_[term].erase_first_in(slot << kCountBits, (slot + 1) << kCountBits);
        if (!postings_[term].empty()) continue;
        postings_[term].clear();
        by_hash_.erase(hashes_[term], term, [&](std::uint32_t row) { return hashes_[row]; });
        free_terms_.push_back(term);
    }
    terms_of_[slot].clear();
    length_ -= lengths_[slot];
    lengths_[slot] = 0;
    --documents_;
}

void LexicalIndex::add_totals(std::span<const QueryTerm> terms, LexicalTotals& totals) const {
    totals.holders.resize(terms.size());
    totals.documents += documents_;
    totals.length += length_;
    for (std::size_t i = 0; i < terms.size(); ++i) {
        const std::uint32_t term = find(terms[i].hash);
        if (term != ProbeTable::kNone) totals.holders[i] += postings_[term].values().size();
    }
}

double LexicalIndex::full_score(std::span<const QueryTerm> terms, const LexicalTotals& totals) {
    if (totals.documents == 0) return 0;
    double sum = 0;
    for (std::size_t i = 0; i < terms.size(); ++i) {
        sum += rarity(totals.documents, totals.holders[i]) * terms[i].count;
    }
    return sum;
}

void LexicalIndex::score(std::span<const QueryTerm> terms, const LexicalTotals& totals,
                         const Bm25& bm25, std::span<float> scores) const {
    if (totals.documents == 0) return;
    const double mean =
        std::max(1.0, static_cast<double>(totals.length) / static_cast<double>(totals.documents));
    const auto base = static_cast<float>(bm25.k1 * (1 - bm25.b));
    const auto slope = static_cast<float>(bm25.k1 * bm25.b / mean);
    for (std::size_t i = 0; i < terms.size(); ++i) {
        const std::uint32_t term = find(terms[i].hash);
        if (term == ProbeTable::kNone) continue;
        const auto weight = static_cast<float>(rarity(totals.documents, totals.holders[i]) *
                                               (bm25.k1 + 1) * terms[i].count);
        for (const std::uint32_t posting : postings_[term].values()) {
            const std::uint32_t slot = posting >> kCountBits;
            const auto count = static_cast<float>(posting & kMaxCount);
            scores[slot] +=
                weight * count / (count + base + slope * static_cast<float>(lengths_[slot]));
        }
    }
}

std::vector<std::uint32_t> LexicalIndex::resolve(std::span<const QueryTerm> terms) const {
    std::vector<std::uint32_t> out;
    out.reserve(terms.size());
    for (const QueryTerm& term : terms) out.push_back(find(term.hash));
    return out;
}

bool LexicalIndex::holds(std::uint32_t slot, std::uint32_t term) const {
    return term != ProbeTable::kNone && std::ranges::binary_search(terms_of_[slot].values(), term);
}

std::size_t LexicalIndex::bytes() const noexcept {
    std::size_t total = by_hash_.bytes() + hashes_.capacity() * sizeof(std::uint64_t) +
                        (postings_.capacity() + terms_of_.capacity()) * sizeof(SortedList) +
                        lengths_.capacity() * sizeof(std::uint32_t);
    for (const auto& list : postings_) total += list.heap_bytes();
    for (const auto& list : terms_of_) total += list.heap_bytes();
    return total;
}

LexicalIndex::Image LexicalIndex::image() const {
    Image out;
    std::vector<std::uint32_t> order;
    order.reserve(hashes_.size());
    for (std::uint32_t term = 0; term < hashes_.size(); ++term) {
        if (!postings_[term].empty()) order.push_back(term);
    }
    std::ranges::sort(order, {}, [&](std::uint32_t term) { return hashes_[term]; });
    for (const std::uint32_t term : order) {
        const auto values = postings_[term].values();
        out.hashes.push_back(hashes_[term]);
        out.counts.push_back(static_cast<std::uint32_t>(values.size()));
        out.postings.insert(out.postings.end(), values.begin(), values.end());
    }
    out.lengths = lengths_;
    return out;
}

bool LexicalIndex::restore(std::span<const std::uint64_t> hashes,
                           std::span<const std::uint32_t> counts,
                           std::span<const std::uint32_t> postings,
                           std::span<const std::uint32_t> lengths, std::uint64_t documents) {
    *this = {};
    if (hashes.size() != counts.size() || lengths.size() >= kMaxSlots) return false;
    const auto slots = static_cast<std::uint32_t>(lengths.size());
    std::uint64_t sum = 0;
    for (const std::uint32_t count : counts) {
        if (count == 0) return false;
        sum += count;
    }
    if (sum != postings.size()) return false;
    for (std::size_t i = 1; i < hashes.size(); ++i) {
        if (hashes[i - 1] >= hashes[i]) return false;
    }
    // Per slot: how many terms, then which, filled term by term and so ascending.
    std::vector<std::uint32_t> starts(slots + 1);
    std::size_t at = 0;
    for (const std::uint32_t count : counts) {
        std::uint32_t low = 0;
        for (const std::uint32_t posting : postings.subspan(at, count)) {
            const std::uint32_t slot = posting >> kCountBits;
            if (posting < low || slot >= slots || (posting & kMaxCount) == 0) return false;
            low = (slot + 1) << kCountBits;
            ++starts[slot + 1];
        }
        at += count;
    }
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    std::vector<std::uint32_t> forward(postings.size());
    std::vector<std::uint32_t> fill(starts.begin(), starts.end() - 1);
    postings_.reserve(hashes.size());
    at = 0;
    for (std::uint32_t term = 0; term < counts.size(); ++term) {
        const auto list = postings.subspan(at, counts[term]);
        postings_.emplace_back(list);
        for (const std::uint32_t posting : list) forward[fill[posting >> kCountBits]++] = term;
        at += list.size();
    }
    hashes_.assign(hashes.begin(), hashes.end());
    const auto hash_of = [&](std::uint32_t row) { return hashes_[row]; };
    by_hash_.reserve(hashes_.size(), hash_of);
    for (std::uint32_t term = 0; term < hashes_.size(); ++term) {
        by_hash_.insert(hashes_[term], term, hash_of);
    }
    terms_of_.reserve(slots);
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        terms_of_.emplace_back(std::span<const std::uint32_t>(forward).subspan(
            starts[slot], starts[slot + 1] - starts[slot]));
    }
    lengths_.assign(lengths.begin(), lengths.end());
    length_ = std::accumulate(lengths.begin(), lengths.end(), std::uint64_t{0});
    documents_ = documents;
    return true;
}

}  // namespace aeterna::retrieval
