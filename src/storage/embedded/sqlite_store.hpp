#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "memory/ports.hpp"
#include "runtime/runtime.hpp"
#include "security/api_key.hpp"
#include "storage/embedded/lock_file.hpp"

namespace aeterna::storage {

/// The embedded store: one SQLite database in a folder of its own. One thread writes, commits and
/// checkpoints; reads run on the runtime's blocking pool, each on its own connection. A value from
/// `execute` is on the disk (fsync) and seen by every later read.
///
/// Stop it before the runtime: `close` (or the destructor) answers what is queued, moves the log
/// into the database and lets the folder go. No call may be made after `close`.
class SqliteStore final : public memory::MemoryStore, public security::KeyStore {
  public:
    struct Options {
        std::filesystem::path data_dir;
        std::int64_t queue_limit = 1024;        ///< writes waiting; beyond: kUnavailable
        std::int64_t valid_at_limit = 100'000;  ///< records of one `valid_at`; beyond: kTooLarge
        /// A registered SQLite VFS; empty: the default. Tests break disks with it.
        std::string vfs = {};
    };
    /// Makes the folder (0700) and the database (0600) when they are not there. kConflict
    /// "data_folder_in_use", "newer_schema", "foreign_database"; kCorrupt; kStorageFull. A database
    /// that can be read but not written is opened: reads work, writes give kUnavailable
    /// "read_only". `listener` may be null and must outlive the store.
    [[nodiscard]] static result<std::unique_ptr<SqliteStore>> open(
        Options options, Runtime& runtime, memory::CommitListener* listener);
    ~SqliteStore() override;

    /// Tells other processes (`read_lock_owner`) where this one listens.
    void announce(const std::string& url);
    void close();
    [[nodiscard]] std::filesystem::path file() const;

    task<result<memory::Committed>> execute(memory::UnitOfWork work, Deadline deadline) override;
    task<result<std::optional<memory::Memory>>> find(TenantId tenant, MemoryId id, Timestamp now,
                                                     std::optional<Timestamp> as_of,
                                                     Deadline deadline) override;
    task<result<std::vector<memory::Memory>>> find_many(TenantId tenant, std::vector<MemoryId> ids,
                                                        Timestamp now, Deadline deadline) override;
    task<result<std::vector<memory::MemoryVersion>>> history(TenantId tenant, MemoryId id,
                                                             Deadline deadline) override;
    task<result<memory::Page>> list(memory::ListQuery query, Deadline deadline) override;
    task<result<std::optional<memory::Session>>> find_session(TenantId tenant, std::string id,
                                                              Deadline deadline) override;
    task<result<std::vector<memory::MemoryRecord>>> valid_at(std::vector<memory::Scope> scopes,
                                                             Timestamp at,
                                                             Deadline deadline) override;
    /// Damaged memories are left out, logged, and told by `status().trouble`.
    task<result<std::vector<memory::MemoryRecord>>> scan(std::optional<TenantId> tenant,
                                                         std::optional<MemoryId> after,
                                                         std::size_t limit,
                                                         Deadline deadline) override;
    task<result<memory::StoreStatus>> status(Deadline deadline) override;
    /// At most 1 000 at a time, by the actor "aeterna".
    task<result<std::size_t>> expire(Timestamp now, std::size_t limit, Deadline deadline) override;
    /// Also trims the outbox to the week before its newest row. At most 10 000 rows at a time.
    task<result<std::size_t>> purge(Timestamp deleted_before, Timestamp keys_before,
                                    std::size_t limit, Deadline deadline) override;

    task<result<void>> put_key(security::ApiKey key, Deadline deadline) override;
    task<result<std::optional<security::ApiKey>>> find_key(KeyId id, Deadline deadline) override;
    task<result<std::vector<security::ApiKey>>> list_keys(TenantId tenant,
                                                          Deadline deadline) override;
    task<result<bool>> revoke_key(TenantId tenant, KeyId id, Timestamp now,
                                  Deadline deadline) override;
    task<result<bool>> any_key(Deadline deadline) override;

  private:
    struct Impl;
    explicit SqliteStore(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::storage
