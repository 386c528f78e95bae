#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "memory/ports.hpp"
#include "storage/embedded/connection.hpp"

namespace aeterna::storage {

/// One group's transaction on the write connection: what the jobs of the group read and change.
/// Every Error is the storage's unless said otherwise; after one the group cannot go on.
class WriteTransaction {
  public:
    WriteTransaction(Connection& connection, std::uint64_t position)
        : connection_(connection), position_(position) {}

    /// What a job does lies between `open_job` and `keep_job` or `undo_job`; nothing is paid for
    /// until the job writes.
    void open_job();
    [[nodiscard]] result<void> keep_job();
    [[nodiscard]] result<void> undo_job();

    [[nodiscard]] result<memory::Snapshot> look(const TenantId& tenant,
                                                const memory::ReadSet& reads);
    struct Remembered {
        Sha256 fingerprint{};
        memory::Committed committed;
    };
    [[nodiscard]] result<std::optional<Remembered>> recall(const TenantId& tenant,
                                                           const memory::IdempotencyClaim& claim);

    /// All of the effect or nothing of it. kConflict (duplicate_content, memory_exists,
    /// version_conflict) is a refusal: nothing was changed and the transaction goes on.
    [[nodiscard]] result<void> apply(const TenantId& tenant, const memory::Effect& effect,
                                     Timestamp now);
    [[nodiscard]] result<void> remember(const TenantId& tenant,
                                        const memory::IdempotencyClaim& claim, Timestamp now,
                                        const memory::Reply& reply);
    /// A statement of the caller's is about to write.
    [[nodiscard]] result<void> will_write();

    [[nodiscard]] Connection& connection() noexcept { return connection_; }
    /// The last outbox row, this transaction's included.
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] const std::vector<memory::MemoryRecord>& records() const noexcept {
        return records_;
    }
    /// How many live memories more there are.
    [[nodiscard]] std::int64_t grown() const noexcept { return grown_; }

  private:
    struct Mark {
        std::uint64_t position = 0;
        std::size_t records = 0;
        std::int64_t grown = 0;
    };
    [[nodiscard]] Mark mark() const { return {position_, records_.size(), grown_}; }
    void back_to(const Mark& mark);
    [[nodiscard]] result<void> change(const TenantId& tenant, const memory::Effect& effect,
                                      Timestamp now);
    [[nodiscard]] result<void> put(const memory::MemoryRecord& record, Timestamp now);
    [[nodiscard]] result<void> insert(const memory::MemoryRecord& record);
    [[nodiscard]] result<void> replace(const memory::MemoryRecord& record);
    [[nodiscard]] result<void> insert_older(const memory::MemoryRecord& record, Timestamp valid_to);
    [[nodiscard]] result<void> put_session(const TenantId& tenant, const memory::Session& session);
    /// What kept a record out, in the words of the domain.
    [[nodiscard]] Error refusal(const memory::MemoryRecord& record, Error native);

    Connection& connection_;
    std::uint64_t position_;
    std::vector<memory::MemoryRecord> records_;
    std::int64_t grown_ = 0;
    Mark job_;
    bool job_open_ = false, savepoint_ = false;
};

}  // namespace aeterna::storage
