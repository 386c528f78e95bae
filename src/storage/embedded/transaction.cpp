#include "storage/embedded/transaction.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "storage/embedded/rows.hpp"

namespace aeterna::storage {

namespace {

using memory::MemoryRecord;

constexpr const char* kFindRecord =
    "SELECT " AETERNA_RECORD_COLUMNS " FROM memory WHERE id = ? AND tenant = ?";
constexpr const char* kFindTwin = "SELECT " AETERNA_RECORD_COLUMNS
                                  " FROM memory WHERE tenant = ? AND layer = ? AND owner = ? "
                                  "AND content_hash = ? AND deleted_at IS NULL";
constexpr const char* kFindSession =
    "SELECT id, identifiers, metadata, actor, started_at, ended_at FROM session "
    "WHERE tenant = ? AND id = ?";
constexpr const char* kRecall =
    "SELECT fingerprint, status, body, version, position FROM idempotency "
    "WHERE tenant = ? AND subject = ? AND key = ?";
constexpr const char* kRemember =
    "INSERT INTO idempotency (tenant, subject, key, created_at, fingerprint, status, version, "
    "position, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
constexpr const char* kInsertRecord = "INSERT INTO memory (" AETERNA_RECORD_COLUMNS
                                      ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kPresent =
    "SELECT version, deleted_at IS NULL FROM memory WHERE id = ? AND tenant = ?";
constexpr const char* kToHistory =
    "INSERT INTO memory_version (" AETERNA_RECORD_COLUMNS
    ", valid_to) SELECT " AETERNA_RECORD_COLUMNS ", ? FROM memory WHERE id = ? AND tenant = ?";
constexpr const char* kInsertOlder = "INSERT INTO memory_version (" AETERNA_RECORD_COLUMNS
                                     ", valid_to) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
// Without tenant and id, so that their index stays untouched.
constexpr const char* kReplaceRecord =
    "UPDATE memory SET version = ?3, layer = ?4, owner = ?5, created_at = ?6, updated_at = ?7, "
    "expires_at = ?8, deleted_at = ?9, importance = ?10, change = ?11, actor = ?12, "
    "content_hash = ?13, checksum = ?14, identifiers = ?15, embedder = ?16, embedding = ?17, "
    "metadata = ?18, content = ?19 WHERE id = ?2 AND tenant = ?1";
constexpr const char* kOutbox =
    "INSERT INTO outbox (tenant, id, version, change, at) VALUES (?, ?, ?, ?, ?)";
constexpr const char* kPutSession =
    "INSERT INTO session (tenant, id, identifiers, metadata, actor, started_at, ended_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET "
    "identifiers = excluded.identifiers, metadata = excluded.metadata, actor = excluded.actor, "
    "started_at = excluded.started_at, ended_at = excluded.ended_at";

result<std::optional<MemoryRecord>> one_record(Query& query, const std::filesystem::path& file) {
    auto row = query.step();
    if (!row) return tl::unexpected(std::move(row).error());
    if (!*row) return std::nullopt;
    auto record = read_record(query, file);
    if (!record) return tl::unexpected(std::move(record).error());
    return std::move(*record);
}

/// Half of an effect may have been written when this one turns out not to fit.
bool needs_undo(const memory::Effect& effect) {
    const bool replaces = effect.put && effect.put->memory.version > 1;
    return replaces || !effect.older.empty() || (effect.put && effect.session);
}

}  // namespace

void WriteTransaction::open_job() {
    job_ = mark();
    job_open_ = true;
    savepoint_ = false;
}

result<void> WriteTransaction::will_write() {
    if (!job_open_ || savepoint_) return {};
    savepoint_ = true;
    return connection_.query("SAVEPOINT job").run();
}

result<void> WriteTransaction::keep_job() {
    job_open_ = false;
    return savepoint_ ? connection_.query("RELEASE job").run() : result<void>();
}

result<void> WriteTransaction::undo_job() {
    job_open_ = false;
    if (!savepoint_) return {};
    back_to(job_);
    AETERNA_TRY(connection_.query("ROLLBACK TO job").run());
    return connection_.query("RELEASE job").run();
}

void WriteTransaction::back_to(const Mark& mark) {
    position_ = mark.position;
    records_.resize(mark.records);
    grown_ = mark.grown;
}

result<memory::Snapshot> WriteTransaction::look(const TenantId& tenant,
                                                const memory::ReadSet& reads) {
    memory::Snapshot seen;
    if (reads.memory) {
        Query query = connection_.query(kFindRecord);
        query.bind(bytes_of(*reads.memory)).bind(tenant.str());
        auto record = one_record(query, connection_.file());
        if (!record) return tl::unexpected(std::move(record).error());
        seen.memory = std::move(*record);
    }
    const memory::Scope* scope = nullptr;
    if (reads.twin_scope) {
        scope = &*reads.twin_scope;
    } else if (seen.memory) {
        scope = &seen.memory->scope;
    }
    if (reads.twin_hash && scope != nullptr) {
        Query query = connection_.query(kFindTwin);
        query.bind(tenant.str())
            .bind(static_cast<std::int64_t>(scope->layer))
            .bind(scope->owner)
            .bind(*reads.twin_hash);
        auto record = one_record(query, connection_.file());
        if (!record) return tl::unexpected(std::move(record).error());
        seen.twin = std::move(*record);
    }
    if (reads.session) {
        Query query = connection_.query(kFindSession);
        query.bind(tenant.str()).bind(*reads.session);
        auto row = query.step();
        if (!row) return tl::unexpected(std::move(row).error());
        if (*row) {
            auto session = read_session(query, connection_.file());
            if (!session) return tl::unexpected(std::move(session).error());
            seen.session = std::move(*session);
        }
    }
    return seen;
}

result<std::optional<WriteTransaction::Remembered>> WriteTransaction::recall(
    const TenantId& tenant, const memory::IdempotencyClaim& claim) {
    Query query = connection_.query(kRecall);
    query.bind(tenant.str()).bind(claim.subject.str()).bind(claim.key);
    auto row = query.step();
    if (!row) return tl::unexpected(std::move(row).error());
    if (!*row) return std::nullopt;
    Remembered out;
    const auto fingerprint = query.blob(0);
    if (fingerprint.size() == out.fingerprint.size())
        std::ranges::copy(fingerprint, out.fingerprint.begin());
    out.committed.reply = {static_cast<int>(query.integer(1)), std::string(query.text(2)),
                           query.integer(3)};
    out.committed.position = static_cast<std::uint64_t>(query.integer(4));
    out.committed.replayed = true;
    return out;
}

result<void> WriteTransaction::remember(const TenantId& tenant,
                                        const memory::IdempotencyClaim& claim, Timestamp now,
                                        const memory::Reply& reply) {
    AETERNA_TRY(will_write());
    return connection_.query(kRemember)
        .bind(tenant.str())
        .bind(claim.subject.str())
        .bind(claim.key)
        .bind(now)
        .bind(claim.fingerprint)
        .bind(std::int64_t{reply.status})
        .bind(reply.version)
        .bind(static_cast<std::int64_t>(position_))
        .bind(reply.body)
        .run();
}

result<void> WriteTransaction::apply(const TenantId& tenant, const memory::Effect& effect,
                                     Timestamp now) {
    if (!effect.put && !effect.session && effect.older.empty()) return {};
    if (effect.put && effect.put->scope.tenant != tenant) {
        return fail(Code::kConflict, "other_tenant", "a write stays within its tenant");
    }
    AETERNA_TRY(will_write());
    if (!needs_undo(effect)) return change(tenant, effect, now);
    const Mark before = mark();
    AETERNA_TRY(connection_.query("SAVEPOINT effect").run());
    auto changed = change(tenant, effect, now);
    if (!changed && is_storage_failure(changed.error())) return changed;
    if (!changed) {
        back_to(before);
        AETERNA_TRY(connection_.query("ROLLBACK TO effect").run());
    }
    AETERNA_TRY(connection_.query("RELEASE effect").run());
    return changed;
}

result<void> WriteTransaction::change(const TenantId& tenant, const memory::Effect& effect,
                                      Timestamp now) {
    for (std::size_t i = 0; i < effect.older.size(); ++i) {
        const MemoryRecord& older = effect.older[i];
        if (older.scope.tenant != tenant) {
            return fail(Code::kConflict, "other_tenant", "a write stays within its tenant");
        }
        Timestamp valid_to = older.memory.updated_at;
        if (i + 1 < effect.older.size()) {
            valid_to = effect.older[i + 1].memory.updated_at;
        } else if (effect.put) {
            valid_to = effect.put->memory.updated_at;
        }
        AETERNA_TRY(insert_older(older, valid_to));
    }
    if (effect.put) AETERNA_TRY(put(*effect.put, now));
    if (effect.session) AETERNA_TRY(put_session(tenant, *effect.session));
    return {};
}

result<void> WriteTransaction::put(const MemoryRecord& record, Timestamp now) {
    const memory::Memory& m = record.memory;
    bool present = false;
    if (m.version > 1) {
        Query query = connection_.query(kPresent);
        query.bind(bytes_of(m.id)).bind(record.scope.tenant.str());
        auto row = query.step();
        if (!row) return tl::unexpected(std::move(row).error());
        present = *row;
        if (present && query.integer(0) != m.version - 1) {
            return fail(Code::kConflict, "version_conflict",
                        fmt::format("memory {} is at version {}, so {} cannot follow", m.id.str(),
                                    query.integer(0), m.version));
        }
        if (present && query.integer(1) != 0) --grown_;
    }
    AETERNA_TRY(present ? replace(record) : insert(record));
    if (!record.deleted_at) ++grown_;
    AETERNA_TRY(connection_.query(kOutbox)
                    .bind(record.scope.tenant.str())
                    .bind(bytes_of(m.id))
                    .bind(m.version)
                    .bind(static_cast<std::int64_t>(record.change))
                    .bind(now)
                    .run());
    position_ = static_cast<std::uint64_t>(connection_.last_row());
    records_.push_back(record);
    return {};
}

result<void> WriteTransaction::insert(const MemoryRecord& record) {
    const EncodedRecord encoded(record);
    Query query = connection_.query(kInsertRecord);
    encoded.bind(query);
    auto ran = query.run();
    if (!ran && ran.error().code == Code::kConflict) return fail(refusal(record, ran.error()));
    return ran;
}

result<void> WriteTransaction::replace(const MemoryRecord& record) {
    AETERNA_TRY(connection_.query(kToHistory)
                    .bind(record.memory.updated_at)
                    .bind(bytes_of(record.memory.id))
                    .bind(record.scope.tenant.str())
                    .run());
    const EncodedRecord encoded(record);
    Query query = connection_.query(kReplaceRecord);
    encoded.bind(query);
    auto ran = query.run();
    if (!ran && ran.error().code == Code::kConflict) return fail(refusal(record, ran.error()));
    return ran;
}

result<void> WriteTransaction::insert_older(const MemoryRecord& record, Timestamp valid_to) {
    const EncodedRecord encoded(record);
    Query query = connection_.query(kInsertOlder);
    encoded.bind(query);
    query.bind(valid_to);
    auto ran = query.run();
    if (!ran && ran.error().code == Code::kConflict) {
        return fail(Code::kConflict, "memory_exists",
                    fmt::format("version {} of memory {} is already in the history",
                                record.memory.version, record.memory.id.str()));
    }
    return ran;
}

Error WriteTransaction::refusal(const MemoryRecord& record, Error native) {
    Query query = connection_.query(kFindTwin);
    query.bind(record.scope.tenant.str())
        .bind(static_cast<std::int64_t>(record.scope.layer))
        .bind(record.scope.owner)
        .bind(record.content_hash);
    auto twin = one_record(query, connection_.file());
    if (twin && *twin && (*twin)->memory.id != record.memory.id) {
        return Error(Code::kConflict, "duplicate_content",
                     fmt::format("memory {} of this scope already has this content",
                                 (*twin)->memory.id.str()))
            .with("memoryId", (*twin)->memory.id.str());
    }
    Query present = connection_.query(kPresent);
    present.bind(bytes_of(record.memory.id)).bind(record.scope.tenant.str());
    if (auto row = present.step(); row && *row) {
        return Error(Code::kConflict, "memory_exists",
                     fmt::format("memory {} is already here at version {}", record.memory.id.str(),
                                 present.integer(0)));
    }
    native.message += fmt::format(" (memory {})", record.memory.id.str());
    return native;
}

result<void> WriteTransaction::put_session(const TenantId& tenant, const memory::Session& session) {
    const std::string identifiers = encode(session.identifiers);
    const std::string metadata = encode(session.metadata);
    return connection_.query(kPutSession)
        .bind(tenant.str())
        .bind(session.id)
        .bind(identifiers)
        .bind(metadata)
        .bind(session.actor.str())
        .bind(session.started_at)
        .bind(session.ended_at)
        .run();
}

}  // namespace aeterna::storage
