#include "storage/embedded/connection.hpp"

#include <utility>

#include <sqlite3.h>

namespace aeterna::storage {

namespace {

constexpr int kStepsBetweenLooksAtTheClock = 2000;

int deadline_passed(void* connection_deadline) {
    const auto* deadline = static_cast<const std::optional<Deadline>*>(connection_deadline);
    return *deadline && (*deadline)->passed() ? 1 : 0;
}

/// A file: URI with everything escaped that could end the path.
std::string uri_of(const std::filesystem::path& file, std::string_view query) {
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(file).string()) {
        if (c == '%' || c == '?' || c == '#') {
            constexpr std::string_view kHex = "0123456789ABCDEF";
            uri += '%';
            uri += kHex[static_cast<unsigned char>(c) >> 4U];
            uri += kHex[static_cast<unsigned char>(c) & 15U];
        } else {
            uri += c;
        }
    }
    return uri.append(query);
}

}  // namespace

// ----------------------------------------------------------------------------------------------
// Query

Query::Query(Connection& connection, sqlite3_stmt* statement, int code)
    : connection_(&connection), statement_(statement), code_(code) {}

Query::Query(Query&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      parameter_(other.parameter_),
      code_(other.code_) {}

Query::~Query() {
    if (statement_ != nullptr) {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
}

void Query::rewind() {
    if (statement_ != nullptr) {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
        code_ = SQLITE_OK;
    }
    parameter_ = 0;
}

Query& Query::bind(std::int64_t value) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_int64(statement_, ++parameter_, value);
    return *this;
}
Query& Query::bind(double value) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_double(statement_, ++parameter_, value);
    return *this;
}
Query& Query::bind(std::string_view text) {
    // A null pointer would bind NULL.
    const char* data = text.empty() ? "" : text.data();
    if (code_ == SQLITE_OK) {
        code_ = sqlite3_bind_text64(statement_, ++parameter_, data, text.size(), SQLITE_STATIC,
                                    SQLITE_UTF8);
    }
    return *this;
}
Query& Query::bind(std::span<const std::uint8_t> blob) {
    const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
    if (code_ == SQLITE_OK) {
        code_ = sqlite3_bind_blob64(statement_, ++parameter_, data, blob.size(), SQLITE_STATIC);
    }
    return *this;
}
Query& Query::bind_null() {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_null(statement_, ++parameter_);
    return *this;
}

result<bool> Query::step() {
    if (code_ != SQLITE_OK) return fail(connection_->error(code_));
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail(connection_->error(code));
}

result<void> Query::run() {
    auto stepped = step();
    if (!stepped) return tl::unexpected(std::move(stepped).error());
    return {};
}

std::int64_t Query::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}
double Query::real(int column) const {
    return sqlite3_column_double(statement_, column);
}
std::string_view Query::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
std::span<const std::uint8_t> Query::blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
bool Query::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::optional<Timestamp> Query::optional_time(int column) const {
    if (is_null(column)) return std::nullopt;
    return time(column);
}

// ----------------------------------------------------------------------------------------------
// Connection

result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file, Mode mode,
                                                     const char* vfs) {
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    flags |=
        mode == Mode::kWriter ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    const std::string uri = uri_of(file, mode == Mode::kImmutable ? "?immutable=1" : "");
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(uri.c_str(), &db, flags, vfs);
    std::unique_ptr<Connection> connection(new Connection(db, file));
    if (code != SQLITE_OK) return fail(connection->error(code));

    // Nobody else writes; only a restart of the log waits for readers, and not for long.
    sqlite3_busy_timeout(db, mode == Mode::kWriter ? 200 : 2000);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_wal_autocheckpoint(db, 0);
    if (mode == Mode::kWriter) {
        sqlite3_wal_hook(
            db,
            [](void* self, sqlite3*, const char*, int frames) {
                static_cast<Connection*>(self)->log_frames_ = frames;
                return SQLITE_OK;
            },
            connection.get());
    } else {
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        sqlite3_progress_handler(db, kStepsBetweenLooksAtTheClock, deadline_passed,
                                 &connection->deadline_);
    }
    return connection;
}

Connection::~Connection() {
    for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    sqlite3_close_v2(db_);
}

Query Connection::query(const char* sql) {
    if (const auto known = statements_.find(sql); known != statements_.end()) {
        return {*this, known->second, SQLITE_OK};
    }
    sqlite3_stmt* statement = nullptr;
    const int code =
        sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return {*this, nullptr, code};
    statements_.emplace(sql, statement);
    return {*this, statement, SQLITE_OK};
}

result<void> Connection::run(const char* sql) {
    const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(error(code));
    return {};
}

result<std::int64_t> Connection::number(const char* sql) {
    Query one = query(sql);
    auto row = one.step();
    if (!row) return tl::unexpected(std::move(row).error());
    return *row ? one.integer(0) : 0;
}

void Connection::set_deadline(std::optional<Deadline> deadline) {
    deadline_ = deadline;
}

bool Connection::in_transaction() const {
    return sqlite3_get_autocommit(db_) == 0;
}

void Connection::roll_back() {
    if (in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

std::int64_t Connection::changes() const {
    return sqlite3_changes64(db_);
}
std::int64_t Connection::total_changes() const {
    return sqlite3_total_changes64(db_);
}
std::int64_t Connection::last_row() const {
    return sqlite3_last_insert_rowid(db_);
}

result<Connection::Checkpoint> Connection::checkpoint(CheckpointKind kind) {
    int mode = SQLITE_CHECKPOINT_PASSIVE;
    if (kind == CheckpointKind::kRestart) mode = SQLITE_CHECKPOINT_RESTART;
    if (kind == CheckpointKind::kTruncate) mode = SQLITE_CHECKPOINT_TRUNCATE;
    Checkpoint done;
    const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, mode, &done.frames, &done.moved);
    if (code != SQLITE_OK) return fail(error(code));
    return done;
}

Error Connection::error(int code) const {
    const int extended = db_ != nullptr ? sqlite3_extended_errcode(db_) : code;
    const bool same = (extended & 0xff) == (code & 0xff);
    return translate(same ? extended : code, db_ != nullptr ? sqlite3_system_errno(db_) : 0,
                     same && db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code), file_);
}

// ----------------------------------------------------------------------------------------------
// ReadMoment

ReadMoment::ReadMoment(Connection& connection)
    : connection_(connection), begun_(connection.query("BEGIN").run()) {}

ReadMoment::~ReadMoment() {
    // A late reader must still let go of its moment, or it would see it for ever.
    connection_.set_deadline(std::nullopt);
    connection_.roll_back();
}

}  // namespace aeterna::storage
