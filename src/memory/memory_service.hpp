#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "memory/decisions.hpp"
#include "memory/ports.hpp"
#include "memory/ranking.hpp"
#include "memory/requests.hpp"
#include "security/principal.hpp"

namespace aeterna::memory {

struct WriteContext {
    security::Principal caller;
    std::optional<IdempotencyClaim> claim;
    Deadline deadline;
};

struct ReadContext {
    security::Principal caller;
    Deadline deadline;
};

struct SearchItem {
    Memory memory;
    Ranked ranked;
    Candidate candidate;
    std::vector<std::string> highlights;
};

struct SearchAnswer {
    std::vector<SearchItem> items;  ///< best first
    std::size_t total = 0;          ///< ranked memories before the limit
    bool degraded = false;          ///< the vector index was missing or incomplete
};

struct ImportReport {
    struct Problem {
        std::size_t line = 0;  ///< 1-based within the call
        Error error;
    };
    std::size_t imported = 0, skipped = 0, failed = 0;
    std::vector<Problem> problems;  ///< at most 100
};

/// The Memory Service. Stateless between calls: everything durable is the store's, everything
/// derived the index's. Safe from any thread; every method runs on the caller's loop.
class MemoryService {
  public:
    struct Parts {
        MemoryStore& store;
        MemoryIndex& index;
        Embedder& embedder;
        const Clock& clock;
        UuidSource& ids;
    };
    MemoryService(Parts parts, Limits limits) : parts_(parts), limits_(limits) {}

    [[nodiscard]] const Limits& limits() const noexcept { return limits_; }

    task<result<Committed>> add(AddRequest request, WriteContext context);
    task<result<Committed>> update(UpdateRequest request, WriteContext context);
    task<result<Committed>> remove(DeleteRequest request, WriteContext context);
    task<result<Committed>> feedback(FeedbackRequest request, WriteContext context);
    task<result<Committed>> promote(PromoteRequest request, WriteContext context);
    task<result<Committed>> batch(std::vector<BatchItem> items, WriteContext context);
    task<result<Committed>> start_session(StartSessionRequest request, WriteContext context);
    task<result<Committed>> end_session(EndSessionRequest request, WriteContext context);
    /// Each line stands alone: a bad one is reported and the others come in.
    task<result<ImportReport>> import(std::vector<std::string> lines, WriteContext context);

    task<result<Memory>> get(MemoryId id, std::optional<Timestamp> as_of, ReadContext context);
    task<result<std::vector<MemoryVersion>>> history(MemoryId id, ReadContext context);
    task<result<Page>> list(ListRequest request, ReadContext context);
    task<result<SearchAnswer>> search(SearchRequest request, ReadContext context);
    /// The next lines of an export after `after`, and where to go on (absent at the end). Needs
    /// TenantAdmin.
    struct ExportChunk {
        std::vector<std::string> lines;
        std::optional<MemoryId> next;
    };
    task<result<ExportChunk>> export_chunk(std::optional<MemoryId> after, ReadContext context);

  private:
    task<Meaning> meaning_of(std::string content, Deadline deadline);
    task<result<Committed>> execute(
        WriteContext context, Call call, std::vector<Command> commands,
        std::function<result<Reply>(std::span<const result<Outcome>>)> finish);

    Parts parts_;
    Limits limits_;
};

}  // namespace aeterna::memory
