#include "storage/embedded/schema.hpp"

#include <array>

#include <fmt/format.h>

namespace aeterna::storage {

namespace {

// Ids are 16 bytes, times microseconds since 1970, layer and change the numbers of their enums,
// which therefore only grow at the end. `content` stands last: a long one spills over pages that
// nobody has to walk for the other columns.
constexpr const char* kFirst = R"sql(
CREATE TABLE memory (
    row INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    version INTEGER NOT NULL,
    layer INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    deleted_at INTEGER,
    importance REAL NOT NULL,
    change INTEGER NOT NULL,
    actor TEXT NOT NULL,
    content_hash BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    identifiers TEXT NOT NULL,
    embedder TEXT NOT NULL,
    embedding BLOB NOT NULL,
    metadata TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX memory_id ON memory (id, tenant);
CREATE INDEX memory_scope ON memory (tenant, layer, owner, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX memory_twin ON memory (tenant, layer, owner, content_hash)
    WHERE deleted_at IS NULL;
CREATE INDEX memory_expiring ON memory (expires_at)
    WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX memory_deleted ON memory (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE memory_version (
    row INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    version INTEGER NOT NULL,
    layer INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    deleted_at INTEGER,
    importance REAL NOT NULL,
    change INTEGER NOT NULL,
    actor TEXT NOT NULL,
    content_hash BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    identifiers TEXT NOT NULL,
    embedder TEXT NOT NULL,
    embedding BLOB NOT NULL,
    metadata TEXT NOT NULL,
    content TEXT NOT NULL,
    valid_to INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX memory_version_id ON memory_version (id, tenant, version);
CREATE INDEX memory_version_scope ON memory_version (tenant, layer, owner, updated_at);

CREATE TABLE session (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    identifiers TEXT NOT NULL,
    metadata TEXT NOT NULL,
    actor TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    row INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idempotency_key ON idempotency (tenant, subject, key);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    version INTEGER NOT NULL,
    change INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id BLOB PRIMARY KEY,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    roles TEXT NOT NULL,
    label TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_tenant ON api_key (tenant, id);

-- One row, written to prove that the disk takes writes again.
CREATE TABLE probe (row INTEGER PRIMARY KEY, count INTEGER NOT NULL) STRICT;
INSERT INTO probe VALUES (1, 0);
)sql";

/// Step n brings version n to n + 1. Steps are never edited once released, only added.
constexpr std::array kSteps{kFirst};

}  // namespace

std::int64_t newest_schema() noexcept {
    return static_cast<std::int64_t>(kSteps.size());
}

result<std::int64_t> check_schema(Connection& connection) {
    const auto application = connection.number("PRAGMA application_id");
    if (!application) return tl::unexpected(application.error());
    const auto version = connection.number("PRAGMA user_version");
    if (!version) return tl::unexpected(version.error());
    const auto tables = connection.number("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tl::unexpected(tables.error());
    const std::string file = connection.file().string();
    if (*application != kApplicationId && (*application != 0 || *tables != 0)) {
        return fail(Code::kConflict, "foreign_database",
                    fmt::format("{} belongs to another program: choose another data folder", file));
    }
    if (*version > newest_schema()) {
        return fail(Code::kConflict, "newer_schema",
                    fmt::format("{} has schema {}, this program knows up to {}: use the newer "
                                "aeterna that wrote it",
                                file, *version, newest_schema()));
    }
    return *version;
}

result<void> migrate(Connection& connection) {
    auto version = check_schema(connection);
    if (!version) return tl::unexpected(std::move(version).error());
    for (std::int64_t at = *version; at < newest_schema(); ++at) {
        const std::string script = fmt::format(
            "BEGIN IMMEDIATE;{}PRAGMA application_id = {};PRAGMA user_version = {};COMMIT;",
            kSteps[static_cast<std::size_t>(at)], kApplicationId, at + 1);
        if (auto ran = connection.run(script.c_str()); !ran) {
            connection.roll_back();
            return ran;
        }
    }
    return {};
}

}  // namespace aeterna::storage
