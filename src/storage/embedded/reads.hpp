#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "memory/ports.hpp"
#include "storage/embedded/connection.hpp"

/// The store's questions, each on a connection of its own for as long as it lasts.
namespace aeterna::storage {

/// Read connections, made when needed and kept.
class ReaderPool {
  public:
    ReaderPool(std::filesystem::path file, Connection::Mode mode, const char* vfs)
        : file_(std::move(file)), mode_(mode), vfs_(vfs) {}

    /// Gives its connection back when it goes.
    class Lease {
      public:
        Lease(ReaderPool& pool, std::unique_ptr<Connection> connection)
            : pool_(&pool), connection_(std::move(connection)) {}
        Lease(Lease&&) noexcept = default;
        Lease& operator=(Lease&&) = delete;
        ~Lease();
        Connection& operator*() const { return *connection_; }

      private:
        ReaderPool* pool_;
        std::unique_ptr<Connection> connection_;
    };
    [[nodiscard]] result<Lease> take(Deadline deadline);
    /// Waits for the leases that are out; nobody may take one any more.
    void close();

  private:
    static constexpr std::size_t kKept = 16;
    std::filesystem::path file_;
    Connection::Mode mode_;
    const char* vfs_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::size_t leased_ = 0;
    std::vector<std::unique_ptr<Connection>> idle_;
};

[[nodiscard]] result<std::optional<memory::Memory>> find(Connection& connection,
                                                         const TenantId& tenant, const MemoryId& id,
                                                         Timestamp now,
                                                         std::optional<Timestamp> as_of);
[[nodiscard]] result<std::vector<memory::Memory>> find_many(Connection& connection,
                                                            const TenantId& tenant,
                                                            const std::vector<MemoryId>& ids,
                                                            Timestamp now);
[[nodiscard]] result<std::vector<memory::MemoryVersion>> history(Connection& connection,
                                                                 const TenantId& tenant,
                                                                 const MemoryId& id);
/// A page may be short of `limit` and still have a `next` when filters reject so much that half of
/// the time is gone.
[[nodiscard]] result<memory::Page> list(Connection& connection, const memory::ListQuery& query,
                                        Deadline deadline);
[[nodiscard]] result<std::optional<memory::Session>> find_session(Connection& connection,
                                                                  const TenantId& tenant,
                                                                  const std::string& id);
/// kTooLarge beyond `limit` records.
[[nodiscard]] result<std::vector<memory::MemoryRecord>> valid_at(
    Connection& connection, const std::vector<memory::Scope>& scopes, Timestamp at,
    std::size_t limit);

struct Scanned {
    std::vector<memory::MemoryRecord> records;
    std::size_t unreadable = 0;  ///< damaged ones, left out
};
[[nodiscard]] result<Scanned> scan(Connection& connection, const std::optional<TenantId>& tenant,
                                   const std::optional<MemoryId>& after, std::size_t limit);
/// Live memories of all tenants.
[[nodiscard]] result<std::uint64_t> count_live(Connection& connection);

}  // namespace aeterna::storage
