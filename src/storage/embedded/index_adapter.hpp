#pragma once
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "memory/ports.hpp"
#include "retrieval/index.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::storage {

/// The in-process MemoryIndex of the embedded store: derived, follows every commit before it is
/// acknowledged, filled from the store at start and whenever it is asked to. Searches run on the
/// blocking pool. Life: made first (the store needs a listener), `attach`ed to the opened store,
/// then `fill`ed in the background.
class EmbeddedIndex final : public memory::MemoryIndex, public memory::CommitListener {
  public:
    EmbeddedIndex(Runtime& runtime, memory::EmbedderIdentity embedder)
        : runtime_(runtime),
          embedder_(std::move(embedder)),
          live_(std::make_shared<retrieval::ScopeIndex>()) {}

    void attach(memory::MemoryStore& store) { store_ = &store; }
    /// Takes over the snapshot of a clean stop. False when there is none, or when it is damaged, of
    /// another embedder or program version, or not at `position`: then `fill` is needed. Before any
    /// commit or search.
    [[nodiscard]] bool load(const std::filesystem::path& file, std::uint64_t position);
    /// Writes the snapshot for the next start: to a new file first, then renamed over the old one.
    [[nodiscard]] result<void> save(const std::filesystem::path& file) const;
    /// Reads everything from the store into the live index, which answers meanwhile as far as it is
    /// filled.
    task<result<void>> fill(Deadline deadline);

    void committed(std::uint64_t position, std::span<const memory::MemoryRecord> records) override;
    task<result<memory::Candidates>> search(memory::IndexQuery query, Deadline deadline) override;
    task<result<memory::Candidates>> search_among(std::vector<memory::MemoryRecord> records,
                                                  memory::IndexQuery query,
                                                  Deadline deadline) override;
    task<result<memory::IndexStatus>> status(Deadline deadline) override;
    task<result<memory::IndexStatus>> rebuild(Deadline deadline) override;
    task<result<memory::IndexDifferences>> verify(Deadline deadline) override;

  private:
    using Index = std::shared_ptr<retrieval::ScopeIndex>;
    [[nodiscard]] Index live() const;
    [[nodiscard]] std::string snapshot_identity() const;
    task<result<void>> copy_store_into(Index index, Deadline deadline);

    Runtime& runtime_;
    memory::EmbedderIdentity embedder_;
    memory::MemoryStore* store_ = nullptr;
    mutable std::mutex mutex_;  // guards the two pointers
    Index live_;
    Index filling_;  // follows commits beside live_ during a rebuild
    std::atomic<bool> rebuilding_{false};
    std::atomic<std::uint64_t> position_{0};
    std::atomic<std::uint64_t> filled_{0};
    std::atomic<std::uint64_t> expected_{0};
};

}  // namespace aeterna::storage
