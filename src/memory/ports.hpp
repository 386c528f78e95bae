#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "memory/types.hpp"
#include "runtime/task.hpp"

/// What the Memory Service needs from the outside. Adapters live in storage/ and embedding/;
/// test/contract runs one suite over each of them.
namespace aeterna::memory {

// ----------------------------------------------------------------------------------------------
// writes

/// The rows a decision looks at, read inside the transaction that applies it.
struct ReadSet {
    std::optional<MemoryId> memory;
    std::optional<Sha256> twin_hash;  ///< also read the live memory with this content ...
    std::optional<Scope> twin_scope;  ///< ... in this scope; absent: in the scope of `memory`
    std::optional<std::string> session;
};

struct Snapshot {
    std::optional<MemoryRecord> memory;  ///< tombstones included
    std::optional<MemoryRecord> twin;    ///< live only
    std::optional<Session> session;
};

enum class OutcomeKind : std::uint8_t { kCreated, kReinforced, kChanged, kUnchanged, kGone };

struct Outcome {
    OutcomeKind kind = OutcomeKind::kUnchanged;
    std::optional<Memory> memory;
    std::optional<Session> session;
};

/// What a decision wants changed: at most one memory version and one session. When
/// `put->memory.version` is not 1, the store moves the version it replaces to the history first.
/// Each put adds an outbox row in the same transaction.
struct Effect {
    std::optional<MemoryRecord> put;
    std::optional<Session> session;
    std::vector<MemoryRecord>
        older;  ///< earlier versions to put into the history as they are (import)
    Outcome outcome;
};

/// A write as a question and a pure answer: the store reads, `decide` chooses, the store applies,
/// all in one transaction. `decide` may run more than once and on any thread; an Error from it
/// changes nothing.
struct Command {
    ReadSet reads;
    std::function<result<Effect>(const Snapshot&)> decide;
};

/// What goes back to the caller and is remembered under the idempotency key.
struct Reply {
    int status = 200;
    std::string body;
    std::int64_t version = 0;  ///< for the ETag; 0: none
    bool operator==(const Reply&) const = default;
};

struct IdempotencyClaim {
    Subject subject;
    std::string key;
    Sha256 fingerprint{};  ///< of method, route and canonical body
};

struct UnitOfWork {
    TenantId tenant;
    Timestamp now{};
    std::optional<IdempotencyClaim> claim;
    std::vector<Command> commands;  ///< applied in order; each sees the ones before it
    /// Makes the reply from every command's outcome. An Error undoes the whole unit and remembers
    /// nothing.
    std::function<result<Reply>(std::span<const result<Outcome>>)> finish;
};

struct Committed {
    Reply reply;
    bool replayed = false;       ///< the reply of an earlier call with the same key
    std::uint64_t position = 0;  ///< outbox position that includes this write
};

// ----------------------------------------------------------------------------------------------
// reads

struct ListQuery {
    Scope scope;
    Filters filters;
    Timestamp now{};  ///< expired memories are left out
    std::size_t limit = 50;
    std::optional<MemoryId> after;  ///< newest id first, so: strictly smaller ids
};

struct Page {
    std::vector<Memory> items;
    std::optional<MemoryId> next;  ///< pass as `after`; absent at the end
};

struct StoreStatus {
    std::uint64_t position = 0;
    std::uint64_t memories = 0;    ///< live, all tenants
    std::uint64_t bytes = 0;       ///< on disk
    std::optional<Error> trouble;  ///< why writes fail now, if they do
};

class MemoryStore {
  public:
    virtual ~MemoryStore() = default;

    /// Durable when it returns a value. kRuleViolation "idempotency_key_reused" for a key with
    /// another fingerprint; kStorageFull, kUnavailable, kCorrupt: nothing happened;
    /// kOutcomeUnknown: ask again with the key.
    virtual task<result<Committed>> execute(UnitOfWork work, Deadline deadline) = 0;

    /// Live and unexpired at `now`; with `as_of` the version that was valid then.
    virtual task<result<std::optional<Memory>>> find(TenantId tenant, MemoryId id, Timestamp now,
                                                     std::optional<Timestamp> as_of,
                                                     Deadline deadline) = 0;
    /// In the order of `ids`; what is gone or expired is left out.
    virtual task<result<std::vector<Memory>>> find_many(TenantId tenant, std::vector<MemoryId> ids,
                                                        Timestamp now, Deadline deadline) = 0;
    /// Oldest first; empty when unknown. Deleted memories keep their history until purged.
    virtual task<result<std::vector<MemoryVersion>>> history(TenantId tenant, MemoryId id,
                                                             Deadline deadline) = 0;
    virtual task<result<Page>> list(ListQuery query, Deadline deadline) = 0;
    virtual task<result<std::optional<Session>>> find_session(TenantId tenant, std::string id,
                                                              Deadline deadline) = 0;
    /// Every version valid at `at` in these scopes.
    virtual task<result<std::vector<MemoryRecord>>> valid_at(std::vector<Scope> scopes,
                                                             Timestamp at, Deadline deadline) = 0;
    /// All live records of all tenants in id order, for rebuilding an index and for export.
    virtual task<result<std::vector<MemoryRecord>>> scan(std::optional<TenantId> tenant,
                                                         std::optional<MemoryId> after,
                                                         std::size_t limit, Deadline deadline) = 0;
    virtual task<result<StoreStatus>> status(Deadline deadline) = 0;

    /// Housekeeping; each returns how many rows it changed, at most `limit`.
    virtual task<result<std::size_t>> expire(Timestamp now, std::size_t limit,
                                             Deadline deadline) = 0;
    virtual task<result<std::size_t>> purge(Timestamp deleted_before, Timestamp keys_before,
                                            std::size_t limit, Deadline deadline) = 0;
};

/// Hears of every committed version in commit order, on the store's writer thread, before the write
/// is acknowledged. Must be quick and must not throw.
class CommitListener {
  public:
    virtual ~CommitListener() = default;
    virtual void committed(std::uint64_t position, std::span<const MemoryRecord> records) = 0;
};

// ----------------------------------------------------------------------------------------------
// search

struct IndexQuery {
    std::vector<Scope> scopes;
    std::string text;
    std::optional<retrieval::PackedVector> vector;  ///< absent: lexical only
    std::string embedder;                           ///< identity of `vector`
    Filters filters;
    Timestamp now{};
    std::size_t depth = 200;  ///< candidates wanted from each of the two rankings
};

struct Candidate {
    MemoryId id;
    Layer layer = Layer::kUser;
    std::int64_t version = 0;
    Timestamp updated_at{};
    double importance = 0.5;
    float bm25 = 0;                  ///< 0: no term matched
    float coverage = 1;              ///< 0..1: about the share of the query's weight that matched
    std::optional<float> cosine;     ///< absent: no vector of this embedder
    std::uint32_t lexical_rank = 0;  ///< 1 is best; 0: not in that ranking
    std::uint32_t vector_rank = 0;
    retrieval::PackedVector vector;  ///< for folding near-duplicates
    std::vector<std::string>
        terms;  ///< matched query terms as they stand in the query, for explain
};

struct Candidates {
    std::vector<Candidate> items;
    std::uint64_t scanned = 0;     ///< memories in the scopes after filters
    bool vector_ranking = false;   ///< the query had a vector and was compared by it
    bool vector_degraded = false;  ///< vectors missing or being rebuilt: lexical answer only
};

struct IndexStatus {
    enum class State : std::uint8_t { kReady, kRebuilding, kDamaged } state = State::kReady;
    std::uint64_t position = 0;  ///< last commit it contains
    std::uint64_t memories = 0;
    std::uint64_t without_vector = 0;
    std::uint64_t bytes = 0;  ///< resident, estimated
    double progress = 1.0;    ///< 0..1 while rebuilding
};

/// Differences between an index and its store; all empty when they agree.
struct IndexDifferences {
    std::uint64_t compared = 0, missing = 0, stale = 0, extra = 0;
    std::vector<MemoryId> examples;  ///< at most 10
};

class MemoryIndex {
  public:
    virtual ~MemoryIndex() = default;
    virtual task<result<Candidates>> search(IndexQuery query, Deadline deadline) = 0;
    /// Ranks these records as `search` would rank them were they the index; nothing is kept. For
    /// asOf.
    virtual task<result<Candidates>> search_among(std::vector<MemoryRecord> records,
                                                  IndexQuery query, Deadline deadline) = 0;
    virtual task<result<IndexStatus>> status(Deadline deadline) = 0;
    /// Online: the present index answers until the new one replaces it.
    virtual task<result<IndexStatus>> rebuild(Deadline deadline) = 0;
    virtual task<result<IndexDifferences>> verify(Deadline deadline) = 0;
};

// ----------------------------------------------------------------------------------------------
// meaning

class Embedder {
  public:
    virtual ~Embedder() = default;
    [[nodiscard]] virtual const EmbedderIdentity& identity() const = 0;
    /// One vector per text, in order.
    virtual task<result<std::vector<retrieval::PackedVector>>> embed(std::vector<std::string> texts,
                                                                     Deadline deadline) = 0;
};

}  // namespace aeterna::memory
