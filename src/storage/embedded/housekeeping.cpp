#include "storage/embedded/housekeeping.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "storage/embedded/rows.hpp"

namespace aeterna::storage {

namespace {

constexpr const char* kExpired = "SELECT " AETERNA_RECORD_COLUMNS
                                 " FROM memory INDEXED BY memory_expiring WHERE expires_at <= ? "
                                 "AND expires_at IS NOT NULL AND deleted_at IS NULL "
                                 "ORDER BY expires_at LIMIT ?";
constexpr const char* kDeleted =
    "SELECT row, id, tenant FROM memory INDEXED BY memory_deleted WHERE deleted_at IS NOT NULL "
    "AND deleted_at < ? ORDER BY deleted_at LIMIT ?";
constexpr const char* kPurgeVersions =
    "DELETE FROM memory_version WHERE row IN "
    "(SELECT row FROM memory_version WHERE id = ? AND tenant = ? LIMIT ?)";
constexpr const char* kPurgeMemory = "DELETE FROM memory WHERE row = ?";
// Rows stand in the order in which they were made, so the first young one ends the search. A clock
// that was set back only delays.
constexpr const char* kPurgeKeys =
    "DELETE FROM idempotency WHERE row IN (SELECT row FROM idempotency WHERE row < coalesce("
    "(SELECT row FROM idempotency WHERE created_at >= ? ORDER BY row LIMIT 1), "
    "9223372036854775807) ORDER BY row LIMIT ?)";
constexpr const char* kPurgeOutbox =
    "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE seq < "
    "(SELECT seq FROM outbox WHERE at >= (SELECT at FROM outbox ORDER BY seq DESC LIMIT 1) - ? "
    "ORDER BY seq LIMIT 1) ORDER BY seq LIMIT ?)";

constexpr std::int64_t kOutboxKept =
    std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::days(7)).count();

struct Doomed {
    std::int64_t row = 0;
    std::vector<std::uint8_t> id;
    std::string tenant;
};

result<std::vector<Doomed>> doomed(Connection& connection, Timestamp before, std::size_t limit) {
    Query query = connection.query(kDeleted);
    query.bind(before).bind(static_cast<std::int64_t>(limit));
    std::vector<Doomed> out;
    while (true) {
        auto row = query.step();
        if (!row) return tl::unexpected(std::move(row).error());
        if (!*row) return out;
        const auto id = query.blob(1);
        out.push_back({query.integer(0), {id.begin(), id.end()}, std::string(query.text(2))});
    }
}

}  // namespace

result<std::size_t> expire(WriteTransaction& transaction, Timestamp now, std::size_t limit) {
    std::vector<memory::MemoryRecord> expired;
    {
        Connection& connection = transaction.connection();
        Query query = connection.query(kExpired);
        query.bind(now).bind(static_cast<std::int64_t>(limit));
        while (true) {
            auto row = query.step();
            if (!row) return tl::unexpected(std::move(row).error());
            if (!*row) break;
            auto record = read_record(query, connection.file());
            if (!record) return tl::unexpected(std::move(record).error());
            expired.push_back(std::move(*record));
        }
    }
    for (memory::MemoryRecord& record : expired) {
        ++record.memory.version;
        record.memory.updated_at =
            std::max(now, record.memory.updated_at + std::chrono::microseconds(1));
        record.deleted_at = record.memory.updated_at;
        record.change = memory::ChangeKind::kExpired;
        record.actor = Subject("aeterna");
        const TenantId tenant = record.scope.tenant;
        memory::Effect effect;
        effect.put = std::move(record);
        AETERNA_TRY(transaction.apply(tenant, effect, now));
    }
    return expired.size();
}

result<std::size_t> purge(WriteTransaction& transaction, Timestamp deleted_before,
                          Timestamp keys_before, std::size_t limit) {
    Connection& connection = transaction.connection();
    std::size_t left = limit;
    const auto count = [&] {
        const auto removed = static_cast<std::size_t>(connection.changes());
        left -= std::min(left, removed);
    };
    const auto memories = doomed(connection, deleted_before, left);
    if (!memories) return tl::unexpected(memories.error());
    for (const Doomed& memory : *memories) {
        if (left == 0) break;
        AETERNA_TRY(connection.query(kPurgeVersions)
                        .bind(memory.id)
                        .bind(memory.tenant)
                        .bind(static_cast<std::int64_t>(left))
                        .run());
        count();
        if (left == 0) break;  // there may be more versions: the memory goes with the last
        AETERNA_TRY(connection.query(kPurgeMemory).bind(memory.row).run());
        count();
    }
    AETERNA_TRY(
        connection.query(kPurgeKeys).bind(keys_before).bind(static_cast<std::int64_t>(left)).run());
    count();
    AETERNA_TRY(connection.query(kPurgeOutbox)
                    .bind(kOutboxKept)
                    .bind(static_cast<std::int64_t>(left))
                    .run());
    count();
    return limit - left;
}

}  // namespace aeterna::storage
