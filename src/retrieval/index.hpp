#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "retrieval/fusion.hpp"
#include "retrieval/partition.hpp"
#include "retrieval/turnstile.hpp"

namespace aeterna::retrieval {

struct Query {
    std::vector<std::string> partitions;  ///< unknown ones are empty
    std::string text;
    std::optional<PackedVector> vector;  ///< absent: lexical only
    std::string embedder;                ///< who made `vector`
    Conditions conditions;
    std::int64_t now = 0;     ///< documents that expire then or earlier are left out
    std::size_t depth = 200;  ///< candidates wanted from each ranking, at most kMaxDepth
    Bm25 bm25;
    float min_cosine = kMinCosine;  ///< below it a document is not in the vector ranking

    static constexpr std::size_t kMaxDepth = 10'000;
};

struct Match {
    Uuid id;
    std::int64_t version = 0;
    std::int64_t created = 0;
    std::int64_t updated = 0;
    double importance = 0;
    std::uint8_t layer = 0;
    std::uint32_t partition = 0;     ///< index into Query::partitions
    float bm25 = 0;                  ///< 0: no term matched
    float coverage = 0;              ///< 0..1: about the share of the query's weight that matched
    std::optional<float> cosine;     ///< absent: no vector of the query's embedder
    std::uint32_t lexical_rank = 0;  ///< 1 is best; 0: not in that ranking
    std::uint32_t vector_rank = 0;
    PackedVector vector;             ///< empty when `cosine` is absent
    std::vector<std::string> terms;  ///< matched terms as they stand in the query
};

struct Matches {
    std::vector<Match> items;          ///< the lexical ranking, then what only the vectors found
    std::uint64_t scanned = 0;         ///< documents that met the conditions
    std::uint64_t without_vector = 0;  ///< documents there without a vector of that embedder
};

struct IndexTotals {
    std::uint64_t partitions = 0;
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;  ///< resident, estimated
};

/// Documents partitioned by scope, searched exactly: every document of the wanted partitions is
/// compared, so conditions cost nothing in recall and a write is found by the next search. Safe
/// from any thread; a writer waits for the searches of its own partition only.
class ScopeIndex {
  public:
    ScopeIndex();
    ~ScopeIndex();
    ScopeIndex(const ScopeIndex&) = delete;
    ScopeIndex& operator=(const ScopeIndex&) = delete;

    /// False: a version at least as new was there, or was removed while removals are remembered, or
    /// the partition is full.
    bool put(const std::string& partition, const Document& document);
    /// Any version up to `version`; false when absent or newer.
    bool remove(const std::string& partition, const Uuid& id,
                std::int64_t version = std::numeric_limits<std::int64_t>::max());
    /// While on, a document that was removed cannot come back with a version up to that of its
    /// removal: for filling an index from a scan while commits go on. Turning it off forgets them.
    void remember_removals(bool on);

    [[nodiscard]] Matches search(const Query& query) const;

    [[nodiscard]] std::optional<std::int64_t> version_of(const std::string& partition,
                                                         const Uuid& id) const;
    /// Every document, partition by partition; `visit` must not call back into the index.
    void for_each(const std::function<void(const std::string& partition, const Uuid& id,
                                           std::int64_t version)>& visit) const;
    [[nodiscard]] IndexTotals totals() const;
    /// Documents without a vector of this embedder.
    [[nodiscard]] std::uint64_t without_vector(const std::string& embedder,
                                               std::size_t dimensions) const;

  private:
    friend class SnapshotCodec;

    struct Room {
        mutable Turnstile lock;
        Partition partition;
        bool dropped = false;  ///< empty and out of the map: ask the map again
    };
    using Rooms = std::unordered_map<std::string, std::shared_ptr<Room>>;

    [[nodiscard]] std::shared_ptr<Room> room_at(const std::string& key) const;
    [[nodiscard]] std::shared_ptr<Room> room_for(const std::string& key);
    [[nodiscard]] std::vector<std::pair<std::string, std::shared_ptr<Room>>> all_rooms() const;
    void drop_if_empty(const std::string& key, const std::shared_ptr<Room>& room);
    [[nodiscard]] bool was_removed(const Uuid& id, std::int64_t version) const;

    mutable std::shared_mutex map_lock_;  // taken before a room's lock, never after it
    Rooms rooms_;
    mutable std::mutex removals_lock_;
    bool remembering_ = false;
    std::unordered_map<Uuid, std::int64_t> removals_;
};

}  // namespace aeterna::retrieval
