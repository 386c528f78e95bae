#include "storage/embedded/reads.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "observe/log.hpp"
#include "storage/embedded/rows.hpp"

namespace aeterna::storage {

namespace {

using memory::Memory;
using memory::MemoryRecord;
using memory::MemoryVersion;

constexpr const char* kFindPresent =
    "SELECT " AETERNA_RECORD_COLUMNS " FROM memory WHERE id = ? AND tenant = ?";
constexpr const char* kFindVersion = "SELECT " AETERNA_RECORD_COLUMNS
                                     " FROM memory_version WHERE id = ?1 AND tenant = ?2 "
                                     "AND updated_at <= ?3 AND valid_to > ?3";
constexpr const char* kVersions = "SELECT " AETERNA_RECORD_COLUMNS
                                  " FROM memory_version WHERE id = ? AND tenant = ? "
                                  "ORDER BY version";
constexpr const char* kList = "SELECT " AETERNA_RECORD_COLUMNS
                              " FROM memory INDEXED BY memory_scope WHERE tenant = ? AND layer = ? "
                              "AND owner = ? AND deleted_at IS NULL AND id < ? ORDER BY id DESC";
constexpr const char* kSession =
    "SELECT id, identifiers, metadata, actor, started_at, ended_at FROM session "
    "WHERE tenant = ? AND id = ?";
constexpr const char* kValidNow =
    "SELECT " AETERNA_RECORD_COLUMNS
    " FROM memory INDEXED BY memory_scope WHERE tenant = ?1 AND layer = ?2 AND owner = ?3 "
    "AND deleted_at IS NULL AND updated_at <= ?4 AND created_at <= ?4 "
    "AND (expires_at IS NULL OR expires_at > ?4)";
constexpr const char* kValidThen =
    "SELECT " AETERNA_RECORD_COLUMNS
    " FROM memory_version WHERE tenant = ?1 AND layer = ?2 AND owner = ?3 AND updated_at <= ?4 "
    "AND valid_to > ?4 AND created_at <= ?4 AND deleted_at IS NULL "
    "AND (expires_at IS NULL OR expires_at > ?4)";
// Ids from the index first, then row by row: a damaged page costs only the memories on it.
constexpr const char* kScan =
    "SELECT row, id FROM memory INDEXED BY memory_id WHERE id > ? ORDER BY id, tenant";
constexpr const char* kScanTenant =
    "SELECT row, id FROM memory INDEXED BY memory_id WHERE id > ? AND tenant = ? "
    "ORDER BY id, tenant";
constexpr const char* kRow =
    "SELECT " AETERNA_RECORD_COLUMNS " FROM memory WHERE row = ? AND deleted_at IS NULL";

/// What is smaller than every id, and what is larger.
constexpr std::array<std::uint8_t, 0> kBeforeAll{};
constexpr std::array<std::uint8_t, 17> kAfterAll{255, 255, 255, 255, 255, 255, 255, 255, 255,
                                                 255, 255, 255, 255, 255, 255, 255, 255};

bool valid(const Memory& memory, Timestamp at) {
    return !memory.expires_at || *memory.expires_at > at;
}

struct Row {
    Memory memory;
    bool deleted = false;
};

result<std::optional<Row>> one_row(Query& query, const std::filesystem::path& file) {
    auto row = query.step();
    if (!row) return tl::unexpected(std::move(row).error());
    if (!*row) return std::nullopt;
    auto memory = read_memory(query, file);
    if (!memory) return tl::unexpected(std::move(memory).error());
    constexpr int kDeletedAt = 8;
    return Row{std::move(*memory), !query.is_null(kDeletedAt)};
}

result<std::optional<Row>> present_row(Connection& connection, const TenantId& tenant,
                                       const MemoryId& id) {
    Query query = connection.query(kFindPresent);
    query.bind(bytes_of(id)).bind(tenant.str());
    return one_row(query, connection.file());
}

}  // namespace

// ----------------------------------------------------------------------------------------------
// ReaderPool

result<ReaderPool::Lease> ReaderPool::take(Deadline deadline) {
    std::unique_ptr<Connection> connection;
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            connection = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!connection) {
        auto opened = Connection::open(file_, mode_, vfs_);
        if (!opened) return tl::unexpected(std::move(opened).error());
        connection = std::move(*opened);
    }
    connection->set_deadline(deadline);
    const std::lock_guard lock(mutex_);
    ++leased_;
    return Lease(*this, std::move(connection));
}

ReaderPool::Lease::~Lease() {
    if (!connection_) return;
    connection_->set_deadline(std::nullopt);
    // One that is still in a transaction would show its old moment to the next.
    const bool keep = !connection_->in_transaction();
    if (!keep) connection_.reset();
    const std::lock_guard lock(pool_->mutex_);
    if (keep && pool_->idle_.size() < kKept) pool_->idle_.push_back(std::move(connection_));
    connection_.reset();
    --pool_->leased_;
    pool_->returned_.notify_all();
}

void ReaderPool::close() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return leased_ == 0; });
    idle_.clear();
}

// ----------------------------------------------------------------------------------------------
// questions

result<std::optional<Memory>> find(Connection& connection, const TenantId& tenant,
                                   const MemoryId& id, Timestamp now,
                                   std::optional<Timestamp> as_of) {
    const ReadMoment moment(connection);
    AETERNA_TRY(moment.begun());
    const Timestamp at = as_of.value_or(now);
    auto present = present_row(connection, tenant, id);
    if (!present) return tl::unexpected(std::move(present).error());
    if (!*present) return std::nullopt;
    std::optional<Row> row = std::move(*present);
    if (as_of && row->memory.updated_at > at) {
        Query query = connection.query(kFindVersion);
        query.bind(bytes_of(id)).bind(tenant.str()).bind(at);
        auto older = one_row(query, connection.file());
        if (!older) return tl::unexpected(std::move(older).error());
        row = std::move(*older);
        if (!row) return std::nullopt;
    }
    if (row->deleted || !valid(row->memory, at)) return std::nullopt;
    if (as_of && row->memory.created_at > at) return std::nullopt;
    return std::move(row->memory);
}

result<std::vector<Memory>> find_many(Connection& connection, const TenantId& tenant,
                                      const std::vector<MemoryId>& ids, Timestamp now) {
    const ReadMoment moment(connection);
    AETERNA_TRY(moment.begun());
    std::vector<Memory> out;
    out.reserve(ids.size());
    for (const MemoryId& id : ids) {
        auto row = present_row(connection, tenant, id);
        if (!row) return tl::unexpected(std::move(row).error());
        if (*row && !(*row)->deleted && valid((*row)->memory, now)) {
            out.push_back(std::move((*row)->memory));
        }
    }
    return out;
}

result<std::vector<MemoryVersion>> history(Connection& connection, const TenantId& tenant,
                                           const MemoryId& id) {
    const ReadMoment moment(connection);
    AETERNA_TRY(moment.begun());
    std::vector<MemoryVersion> out;
    const auto add = [&](MemoryRecord record) {
        const Timestamp from = record.memory.updated_at;
        if (!out.empty()) out.back().valid_to = from;
        out.push_back(
            {std::move(record.memory), std::move(record.actor), record.change, from, std::nullopt});
    };
    for (const char* sql : {kVersions, kFindPresent}) {
        Query query = connection.query(sql);
        query.bind(bytes_of(id)).bind(tenant.str());
        while (true) {
            auto row = query.step();
            if (!row) return tl::unexpected(std::move(row).error());
            if (!*row) break;
            auto record = read_record(query, connection.file());
            if (!record) return tl::unexpected(std::move(record).error());
            add(std::move(*record));
        }
    }
    return out;
}

result<memory::Page> list(Connection& connection, const memory::ListQuery& query,
                          Deadline deadline) {
    const Deadline patience = Deadline::after(deadline.left() / 2);
    constexpr std::size_t kRowsBetweenLooks = 64;
    const std::size_t limit = std::max<std::size_t>(1, query.limit);
    const std::span<const std::uint8_t> before =
        query.after ? bytes_of(*query.after) : std::span<const std::uint8_t>(kAfterAll);
    Query rows = connection.query(kList);
    rows.bind(query.scope.tenant.str())
        .bind(static_cast<std::int64_t>(query.scope.layer))
        .bind(query.scope.owner)
        .bind(before);
    memory::Page page;
    std::optional<MemoryId> last;
    for (std::size_t seen = 1;; ++seen) {
        auto row = rows.step();
        if (!row) return tl::unexpected(std::move(row).error());
        if (!*row) return page;
        if (seen % kRowsBetweenLooks == 0 && patience.passed()) {
            page.next = last;
            return page;
        }
        auto memory = read_memory(rows, connection.file());
        if (!memory) return tl::unexpected(std::move(memory).error());
        last = memory->id;
        if (!valid(*memory, query.now) || !memory::matches(query.filters, *memory)) continue;
        if (page.items.size() >= limit) {
            page.next = page.items.back().id;
            return page;
        }
        page.items.push_back(std::move(*memory));
    }
}

result<std::optional<memory::Session>> find_session(Connection& connection, const TenantId& tenant,
                                                    const std::string& id) {
    Query query = connection.query(kSession);
    query.bind(tenant.str()).bind(id);
    auto row = query.step();
    if (!row) return tl::unexpected(std::move(row).error());
    if (!*row) return std::nullopt;
    auto session = read_session(query, connection.file());
    if (!session) return tl::unexpected(std::move(session).error());
    return std::move(*session);
}

result<std::vector<MemoryRecord>> valid_at(Connection& connection,
                                           const std::vector<memory::Scope>& scopes, Timestamp at,
                                           std::size_t limit) {
    const ReadMoment moment(connection);
    AETERNA_TRY(moment.begun());
    std::vector<MemoryRecord> out;
    for (const memory::Scope& scope : scopes) {
        for (const char* sql : {kValidNow, kValidThen}) {
            Query query = connection.query(sql);
            query.bind(scope.tenant.str())
                .bind(static_cast<std::int64_t>(scope.layer))
                .bind(scope.owner)
                .bind(at);
            while (true) {
                auto row = query.step();
                if (!row) return tl::unexpected(std::move(row).error());
                if (!*row) break;
                if (out.size() >= limit) {
                    return fail(Code::kTooLarge, "too_many_memories",
                                fmt::format("more than {} memories were valid then in these "
                                            "scopes: ask for fewer layers",
                                            limit));
                }
                auto record = read_record(query, connection.file());
                if (!record) return tl::unexpected(std::move(record).error());
                out.push_back(std::move(*record));
            }
        }
    }
    return out;
}

result<Scanned> scan(Connection& connection, const std::optional<TenantId>& tenant,
                     const std::optional<MemoryId>& after, std::size_t limit) {
    const ReadMoment moment(connection);
    AETERNA_TRY(moment.begun());
    Query ids = connection.query(tenant ? kScanTenant : kScan);
    ids.bind(after ? bytes_of(*after) : std::span<const std::uint8_t>(kBeforeAll));
    if (tenant) ids.bind(tenant->str());
    Scanned out;
    while (true) {
        auto next = ids.step();
        if (!next) return tl::unexpected(std::move(next).error());
        if (!*next) return out;
        const auto id = Uuid::from_bytes(ids.blob(1));
        // Two tenants may have one id (an import into each): a page never ends between them.
        if (out.records.size() >= limit && (!id || out.records.back().memory.id.value != *id)) {
            return out;
        }
        Query row = connection.query(kRow);
        row.bind(ids.integer(0));
        auto live = row.step();
        if (live && !*live) continue;
        auto record = live ? read_record(row, connection.file())
                           : result<MemoryRecord>(tl::unexpected(live.error()));
        if (record) {
            out.records.push_back(std::move(*record));
            continue;
        }
        if (record.error().code != Code::kCorrupt) {
            return tl::unexpected(std::move(record).error());
        }
        ++out.unreadable;
        log::limited(log::Level::kError, "memory_unreadable", "memory_unreadable",
                     {{"id", id ? id->str() : "?"}, {"file", connection.file().string()}});
    }
}

result<std::uint64_t> count_live(Connection& connection) {
    const auto counted = connection.number(
        "SELECT count(*) FROM memory INDEXED BY memory_scope WHERE deleted_at IS NULL");
    if (!counted) return tl::unexpected(counted.error());
    return static_cast<std::uint64_t>(*counted);
}

}  // namespace aeterna::storage
