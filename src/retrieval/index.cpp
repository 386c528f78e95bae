#include "retrieval/index.hpp"

#include <algorithm>

#include "retrieval/search.hpp"

namespace aeterna::retrieval {

ScopeIndex::ScopeIndex() = default;
ScopeIndex::~ScopeIndex() = default;

std::shared_ptr<ScopeIndex::Room> ScopeIndex::room_at(const std::string& key) const {
    const std::shared_lock lock(map_lock_);
    const auto found = rooms_.find(key);
    return found == rooms_.end() ? nullptr : found->second;
}

std::shared_ptr<ScopeIndex::Room> ScopeIndex::room_for(const std::string& key) {
    if (auto room = room_at(key)) return room;
    const std::unique_lock lock(map_lock_);
    auto& room = rooms_[key];
    if (!room) room = std::make_shared<Room>();
    return room;
}

void ScopeIndex::drop_if_empty(const std::string& key, const std::shared_ptr<Room>& room) {
    const std::unique_lock map(map_lock_);
    const std::unique_lock lock(room->lock);
    if (room->dropped || room->partition.documents() != 0) return;
    room->dropped = true;
    rooms_.erase(key);
}

bool ScopeIndex::was_removed(const Uuid& id, std::int64_t version) const {
    const std::lock_guard lock(removals_lock_);
    const auto found = removals_.find(id);
    return found != removals_.end() && found->second >= version;
}

void ScopeIndex::remember_removals(bool on) {
    const std::lock_guard lock(removals_lock_);
    remembering_ = on;
    if (!on) removals_.clear();
}

bool ScopeIndex::put(const std::string& partition, const Document& document) {
    const AnalysedText text = analyse(document.text);
    while (true) {
        const auto room = room_for(partition);
        const std::unique_lock lock(room->lock);
        if (room->dropped) continue;
        if (was_removed(document.id, document.version)) return false;
        return room->partition.put(document, text);
    }
}

bool ScopeIndex::remove(const std::string& partition, const Uuid& id, std::int64_t version) {
    const auto remember = [&] {
        const std::lock_guard lock(removals_lock_);
        if (!remembering_) return;
        auto& known = removals_[id];
        known = std::max(known, version);
    };
    while (true) {
        const auto room = room_at(partition);
        if (!room) {
            remember();
            // A put may have made the room in between.
            if (room_at(partition)) continue;
            return false;
        }
        bool removed = false;
        bool empty = false;
        {
            const std::unique_lock lock(room->lock);
            if (room->dropped) continue;
            remember();
            const auto* entry = room->partition.find(id);
            removed = entry != nullptr && entry->version <= version && room->partition.remove(id);
            empty = room->partition.documents() == 0;
        }
        if (empty) drop_if_empty(partition, room);
        return removed;
    }
}

Matches ScopeIndex::search(const Query& query) const {
    std::vector<std::pair<std::uint32_t, std::shared_ptr<Room>>> rooms;
    {
        const std::shared_lock lock(map_lock_);
        for (std::uint32_t i = 0; i < query.partitions.size(); ++i) {
            const auto found = rooms_.find(query.partitions[i]);
            if (found != rooms_.end()) rooms.emplace_back(i, found->second);
        }
    }
    // One order for all searches, as Turnstile demands; a partition named twice counts once.
    std::ranges::sort(rooms, [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second < b.second : a.first < b.first;
    });
    const auto twice = std::ranges::unique(
        rooms, [](const auto& a, const auto& b) { return a.second == b.second; });
    rooms.erase(twice.begin(), twice.end());

    std::vector<std::shared_lock<Turnstile>> locks;
    locks.reserve(rooms.size());
    for (const auto& [number, room] : rooms) locks.emplace_back(room->lock);
    // In the order of the query, so that equal queries see equal sums.
    std::ranges::sort(rooms, {}, [](const auto& room) { return room.first; });
    std::vector<SearchedPartition> searched;
    searched.reserve(rooms.size());
    for (const auto& [number, room] : rooms) searched.push_back({number, &room->partition});
    return search_partitions(query, searched);
}

std::optional<std::int64_t> ScopeIndex::version_of(const std::string& partition,
                                                   const Uuid& id) const {
    const auto room = room_at(partition);
    if (!room) return std::nullopt;
    const std::shared_lock lock(room->lock);
    const auto* entry = room->partition.find(id);
    if (entry == nullptr) return std::nullopt;
    return entry->version;
}

std::vector<std::pair<std::string, std::shared_ptr<ScopeIndex::Room>>> ScopeIndex::all_rooms()
    const {
    std::vector<std::pair<std::string, std::shared_ptr<Room>>> rooms;
    {
        const std::shared_lock lock(map_lock_);
        rooms.assign(rooms_.begin(), rooms_.end());
    }
    std::ranges::sort(rooms, {}, [](const auto& room) -> const std::string& { return room.first; });
    return rooms;
}

void ScopeIndex::for_each(
    const std::function<void(const std::string&, const Uuid&, std::int64_t)>& visit) const {
    for (const auto& [key, room] : all_rooms()) {
        const std::shared_lock lock(room->lock);
        for (const Partition::Entry& entry : room->partition.entries()) {
            if (entry.live) visit(key, entry.id, entry.version);
        }
    }
}

IndexTotals ScopeIndex::totals() const {
    IndexTotals out;
    for (const auto& [key, room] : all_rooms()) {
        const std::shared_lock lock(room->lock);
        ++out.partitions;
        out.documents += room->partition.documents();
        out.bytes += room->partition.bytes() + key.size() + sizeof(Room);
    }
    return out;
}

std::uint64_t ScopeIndex::without_vector(const std::string& embedder,
                                         std::size_t dimensions) const {
    std::uint64_t out = 0;
    for (const auto& [key, room] : all_rooms()) {
        const std::shared_lock lock(room->lock);
        const auto* rows = room->partition.vectors_of(embedder, dimensions);
        out += room->partition.documents() - (rows == nullptr ? 0 : rows->size());
    }
    return out;
}

}  // namespace aeterna::retrieval
