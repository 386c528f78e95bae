#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace aeterna::storage {

/// What SQLite's (extended) result code means for a caller; `native` is errno as SQLite kept it.
[[nodiscard]] Error translate(int code, int native, std::string_view detail,
                              const std::filesystem::path& file);
/// The failure was the disk's, not the statement's: the transaction cannot go on.
[[nodiscard]] bool is_storage_failure(const Error& error) noexcept;

class Connection;

/// One run of a cached statement; the statement is reset when this goes. Binding counts from the
/// first parameter on. What a bind or the preparation refuses is answered by `step`. Texts and
/// blobs are not copied: they must live as long as the query.
class Query {
  public:
    Query(Query&& other) noexcept;
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    Query& operator=(Query&&) = delete;
    ~Query();

    Query& bind(std::int64_t value);
    Query& bind(double value);
    Query& bind(std::string_view text);
    Query& bind(std::span<const std::uint8_t> blob);
    Query& bind(Timestamp at) { return bind(to_micros(at)); }
    Query& bind(const std::optional<Timestamp>& at) { return at ? bind(*at) : bind_null(); }
    Query& bind_null();

    /// True: a row is there. False: done.
    [[nodiscard]] result<bool> step();
    /// For statements without rows.
    [[nodiscard]] result<void> run();
    /// Makes the statement ready for other values.
    void rewind();

    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double real(int column) const;
    [[nodiscard]] std::string_view text(int column) const;  ///< until the next step
    [[nodiscard]] std::span<const std::uint8_t> blob(int column) const;
    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] Timestamp time(int column) const { return from_micros(integer(column)); }
    [[nodiscard]] std::optional<Timestamp> optional_time(int column) const;

  private:
    friend class Connection;
    Query(Connection& connection, sqlite3_stmt* statement, int code);

    Connection* connection_;
    sqlite3_stmt* statement_;
    int parameter_ = 0;
    int code_;  ///< the first refusal, else SQLITE_OK
};

/// One SQLite connection with its prepared statements. Used by one thread at a time.
class Connection {
  public:
    enum class Mode : std::uint8_t {
        kWriter,     ///< creates the file; closing checkpoints
        kReader,     ///< never checkpoints
        kImmutable,  ///< for a folder that cannot be written: no locks, no shared memory
    };
    [[nodiscard]] static result<std::unique_ptr<Connection>> open(const std::filesystem::path& file,
                                                                  Mode mode, const char* vfs);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// `sql` must be a literal: its address is the key of the cache.
    [[nodiscard]] Query query(const char* sql);
    /// One or more statements without parameters, not cached.
    [[nodiscard]] result<void> run(const char* sql);
    [[nodiscard]] result<std::int64_t> number(const char* sql);

    /// Statements end with kDeadlineExceeded after this moment; empty: never.
    void set_deadline(std::optional<Deadline> deadline);
    [[nodiscard]] bool in_transaction() const;
    /// Rolls back what is open; SQLite may already have done so.
    void roll_back();
    [[nodiscard]] std::int64_t changes() const;        ///< rows of the last statement
    [[nodiscard]] std::int64_t total_changes() const;  ///< rows since this was opened
    [[nodiscard]] std::int64_t last_row() const;

    struct Checkpoint {
        int frames = 0;  ///< in the log
        int moved = 0;   ///< of them in the database file now
    };
    enum class CheckpointKind : std::uint8_t { kPassive, kRestart, kTruncate };
    [[nodiscard]] result<Checkpoint> checkpoint(CheckpointKind kind);
    /// Frames in the write-ahead log as of this connection's last commit.
    [[nodiscard]] int log_frames() const noexcept { return log_frames_; }

    [[nodiscard]] Error error(int code) const;
    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

  private:
    friend class Query;
    Connection(sqlite3* db, std::filesystem::path file) : db_(db), file_(std::move(file)) {}

    sqlite3* db_;
    std::filesystem::path file_;
    std::unordered_map<const char*, sqlite3_stmt*> statements_;
    std::optional<Deadline> deadline_;
    int log_frames_ = 0;
};

/// A read transaction: everything read while it lives is of one moment.
class ReadMoment {
  public:
    explicit ReadMoment(Connection& connection);
    ~ReadMoment();
    ReadMoment(const ReadMoment&) = delete;
    ReadMoment& operator=(const ReadMoment&) = delete;
    [[nodiscard]] const result<void>& begun() const noexcept { return begun_; }

  private:
    Connection& connection_;
    result<void> begun_;
};

}  // namespace aeterna::storage
