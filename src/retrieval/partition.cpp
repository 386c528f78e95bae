#include "retrieval/partition.hpp"

#include <algorithm>

namespace aeterna::retrieval {

bool Conditions::none() const noexcept {
    return required.empty() && any_of.empty() &&
           created_from == std::numeric_limits<std::int64_t>::min() && created_until == kNever &&
           updated_from == std::numeric_limits<std::int64_t>::min() && updated_until == kNever &&
           min_importance <= 0;
}

std::uint32_t Partition::slot_of(const Uuid& id) const {
    return by_id_.find(std::hash<Uuid>{}(id),
                       [&](std::uint32_t slot) { return entries_[slot].id == id; });
}

const Partition::Entry* Partition::find(const Uuid& id) const {
    const std::uint32_t slot = slot_of(id);
    return slot == ProbeTable::kNone ? nullptr : &entries_[slot];
}

const VectorRows* Partition::vectors_of(const std::string& embedder, std::size_t dimensions) const {
    const auto found = std::ranges::find_if(vectors_, [&](const VectorRows& rows) {
        return rows.embedder() == embedder && rows.dimensions() == dimensions;
    });
    return found == vectors_.end() ? nullptr : &*found;
}

void Partition::put_attributes(Entry& entry, const std::vector<std::uint64_t>& attributes) {
    if (dead_attributes_ > 64 && dead_attributes_ * 2 > attributes_.size()) {
        std::vector<std::uint64_t> kept;
        kept.reserve(attributes_.size() - dead_attributes_ + attributes.size());
        for (Entry& other : entries_) {
            if (!other.live) continue;
            const auto own = attributes_of(other);
            other.attributes_at = static_cast<std::uint32_t>(kept.size());
            kept.insert(kept.end(), own.begin(), own.end());
        }
        attributes_ = std::move(kept);
        dead_attributes_ = 0;
    }
    const std::size_t count = std::min(attributes.size(), kMaxAttributes);
    entry.attributes_at = static_cast<std::uint32_t>(attributes_.size());
    entry.attribute_count = static_cast<std::uint16_t>(count);
    attributes_.insert(attributes_.end(), attributes.begin(),
                       attributes.begin() + static_cast<std::ptrdiff_t>(count));
}

void Partition::put_vector(std::uint32_t slot, const PackedVector& vector,
                           const std::string& embedder) {
    Entry& entry = entries_[slot];
    entry.vectors = kNoVectors;
    if (vector.dimensions() == 0 || vector.dimensions() > kMaxDimensions ||
        !is_well_formed(vector.bytes)) {
        return;
    }
    std::size_t at = 0;
    while (at < vectors_.size() && (vectors_[at].embedder() != embedder ||
                                    vectors_[at].dimensions() != vector.dimensions())) {
        ++at;
    }
    if (at == vectors_.size()) {
        // A set that a change of embedder emptied gives its place to the new one.
        const auto unused =
            std::ranges::find_if(vectors_, [](const VectorRows& rows) { return rows.size() == 0; });
        at = static_cast<std::size_t>(unused - vectors_.begin());
        if (at >= kNoVectors) return;
        if (at == vectors_.size()) {
            vectors_.emplace_back(embedder, vector.dimensions());
        } else {
            vectors_[at] = VectorRows(embedder, vector.dimensions());
        }
    }
    entry.vectors = static_cast<std::uint8_t>(at);
    entry.row = vectors_[at].size();
    vectors_[at].add(slot, vector);
}

bool Partition::put(const Document& document, const AnalysedText& text) {
    std::uint32_t slot = slot_of(document.id);
    if (slot != ProbeTable::kNone) {
        if (entries_[slot].version >= document.version) return false;
        take_out(slot);
    } else {
        if (!free_slots_.empty()) {
            slot = free_slots_.back();
            free_slots_.pop_back();
        } else {
            if (entries_.size() >= kMaxDocuments) return false;
            slot = static_cast<std::uint32_t>(entries_.size());
            entries_.emplace_back();
        }
        entries_[slot].id = document.id;
        by_id_.insert(std::hash<Uuid>{}(document.id), slot,
                      [&](std::uint32_t row) { return std::hash<Uuid>{}(entries_[row].id); });
    }
    Entry& entry = entries_[slot];
    entry.id = document.id;
    entry.version = document.version;
    entry.created = document.created;
    entry.updated = document.updated;
    entry.expires = document.expires;
    entry.importance = document.importance;
    entry.layer = document.layer;
    put_attributes(entry, document.attributes);
    entry.live = true;
    if (entry.expires != kNever) expiries_.insert(entry.expires);
    lexical_.insert(slot, text);
    put_vector(slot, document.vector, document.embedder);
    return true;
}

/// All but the place in by_id_ and the slot itself.
void Partition::take_out(std::uint32_t slot) {
    Entry& entry = entries_[slot];
    lexical_.remove(slot);
    if (entry.expires != kNever) expiries_.erase(expiries_.find(entry.expires));
    if (entry.vectors != kNoVectors) {
        const std::uint32_t moved = vectors_[entry.vectors].remove(entry.row);
        if (moved != VectorRows::kNobody) entries_[moved].row = entry.row;
        entry.vectors = kNoVectors;
    }
    dead_attributes_ += entry.attribute_count;
    entry.attribute_count = 0;
    entry.live = false;
}

bool Partition::remove(const Uuid& id) {
    const std::uint32_t slot = slot_of(id);
    if (slot == ProbeTable::kNone) return false;
    take_out(slot);
    by_id_.erase(std::hash<Uuid>{}(id), slot,
                 [&](std::uint32_t row) { return std::hash<Uuid>{}(entries_[row].id); });
    free_slots_.push_back(slot);
    return true;
}

bool Partition::meets(const Entry& entry, const Conditions& conditions) const {
    if (entry.created < conditions.created_from || entry.created >= conditions.created_until ||
        entry.updated < conditions.updated_from || entry.updated >= conditions.updated_until ||
        entry.importance < conditions.min_importance) {
        return false;
    }
    const auto own = attributes_of(entry);
    const auto has = [&](std::uint64_t wanted) {
        return std::ranges::find(own, wanted) != own.end();
    };
    return std::ranges::all_of(conditions.required, has) &&
           (conditions.any_of.empty() || std::ranges::any_of(conditions.any_of, has));
}

std::size_t Partition::filter(const Conditions& conditions, std::int64_t now,
                              std::vector<std::uint8_t>& passes) const {
    passes.clear();
    const bool none = conditions.none();
    const bool expired = !expiries_.empty() && *expiries_.begin() <= now;
    if (none && !expired) return documents();
    passes.resize(entries_.size());
    std::size_t count = 0;
    for (std::size_t slot = 0; slot < entries_.size(); ++slot) {
        const Entry& entry = entries_[slot];
        const bool pass = entry.live && entry.expires > now && (none || meets(entry, conditions));
        passes[slot] = pass ? 1 : 0;
        count += passes[slot];
    }
    return count;
}

std::size_t Partition::bytes() const noexcept {
    std::size_t total = sizeof *this + lexical_.bytes() + by_id_.bytes() +
                        entries_.capacity() * sizeof(Entry) + free_slots_.capacity() * 4 +
                        attributes_.capacity() * 8 + expiries_.size() * 48;
    for (const VectorRows& rows : vectors_) total += rows.bytes();
    return total;
}

}  // namespace aeterna::retrieval
