#include "storage/embedded/sqlite_store.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "observe/log.hpp"
#include "storage/embedded/housekeeping.hpp"
#include "storage/embedded/keys.hpp"
#include "storage/embedded/reads.hpp"
#include "storage/embedded/schema.hpp"
#include "storage/embedded/unit_job.hpp"
#include "storage/embedded/writer.hpp"

namespace aeterna::storage {

namespace {

constexpr std::size_t kExpireAtOnce = 1'000;
constexpr std::size_t kPurgeAtOnce = 10'000;

Error not_writable(const std::filesystem::path& path, int why) {
    const auto text = std::generic_category().message(why);
    if (why == ENOSPC || why == EDQUOT) {
        return Error(
            Code::kStorageFull, "storage_full",
            fmt::format("{} cannot be made, the disk is full: free some room", path.string()));
    }
    return Error(Code::kUnavailable, "read_only",
                 fmt::format("{} cannot be written ({}): check the owner, the mode and the mount "
                             "of the folder, or choose another --data-dir",
                             path.string(), text));
}

result<void> make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    if (std::filesystem::is_directory(folder, error)) return {};
    if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
    if (error) return fail(not_writable(folder.parent_path(), error.value()));
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return fail(not_writable(folder, errno));
    return {};
}

/// Made by hand, so that nobody else may read it from its first moment; SQLite gives its other
/// files the mode of this one.
result<void> make_file(const std::filesystem::path& file) {
    const int made = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (made < 0) return fail(not_writable(file, errno));
    ::close(made);
    return {};
}

/// Reads may work although a store that could be written could not be opened.
bool may_be_read(const Error& error) {
    return error.code == Code::kUnavailable || error.code == Code::kStorageFull ||
           error.code == Code::kCorrupt;
}

std::uint64_t size_of(const std::filesystem::path& file) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    return error ? 0 : size;
}

}  // namespace

struct SqliteStore::Impl {
    Options options;
    Runtime& runtime;
    std::filesystem::path file;
    std::unique_ptr<FolderLock> lock;
    std::unique_ptr<ReaderPool> readers;
    std::unique_ptr<Writer> writer;
    std::atomic<std::uint64_t> unreadable{0};

    Impl(Options opts, Runtime& threads)
        : options(std::move(opts)), runtime(threads), file(options.data_dir / "aeterna.db") {}

    [[nodiscard]] const char* vfs() const {
        return options.vfs.empty() ? nullptr : options.vfs.c_str();
    }
    result<void> open_writable(memory::CommitListener* listener);
    result<void> open_read_only(Error why);

    /// `ask(connection)` on the blocking pool.
    template <class Ask>
    task<std::invoke_result_t<Ask, Connection&>> read(Ask ask, Deadline deadline) {
        using R = std::invoke_result_t<Ask, Connection&>;
        auto work = [this, &ask, deadline]() -> R {
            if (deadline.passed())
                return fail(Code::kDeadlineExceeded, "the time for this read ran out");
            auto connection = readers->take(deadline);
            if (!connection) return tl::unexpected(std::move(connection).error());
            try {
                return ask(**connection);
            } catch (const std::exception& problem) {
                return fail(Code::kInternal, fmt::format("a read threw: {}", problem.what()));
            }
        };
        co_return co_await runtime.blocking(std::move(work));
    }

    /// `make_job(complete)` on the writer thread; comes back on the caller's loop.
    template <class T, class MakeJob>
    task<result<T>> write(MakeJob make_job) {
        auto executor = co_await asio::this_coro::executor;
        auto start = [this, executor, &make_job](auto handler) {
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            writer->submit(make_job([shared, executor](result<T> answer) {
                auto value = std::make_shared<result<T>>(std::move(answer));
                asio::post(executor, [shared, value] { std::move (*shared)(std::move(*value)); });
            }));
        };
        co_return co_await asio::async_initiate<decltype(kAwait), void(result<T>)>(std::move(start),
                                                                                   kAwait);
    }
    template <class T>
    task<result<T>> write_function(typename FunctionJob<T>::Apply apply, Deadline deadline) {
        auto make = [&apply, deadline](auto complete) -> std::unique_ptr<WriteJob> {
            return std::make_unique<FunctionJob<T>>(std::move(apply), deadline,
                                                    std::move(complete));
        };
        co_return co_await write<T>(std::move(make));
    }
};

result<void> SqliteStore::Impl::open_writable(memory::CommitListener* listener) {
    AETERNA_TRY(make_file(file));
    auto opened = Connection::open(file, Connection::Mode::kWriter, vfs());
    if (!opened) return tl::unexpected(std::move(opened).error());
    std::unique_ptr<Connection> connection = std::move(*opened);
    // Looked at before anything is changed: the file may be another program's.
    const auto schema = check_schema(*connection);
    if (!schema) return tl::unexpected(schema.error());
    AETERNA_TRY(connection->run("PRAGMA journal_mode = WAL"));
    AETERNA_TRY(connection->run(kWriterPragmas));
    AETERNA_TRY(migrate(*connection));
    const auto position = Writer::last_position(*connection);
    if (!position) return tl::unexpected(position.error());
    Writer::Options writing;
    writing.queue_limit = static_cast<std::size_t>(std::max<std::int64_t>(1, options.queue_limit));
    writing.vfs = vfs();
    readers = std::make_unique<ReaderPool>(file, Connection::Mode::kReader, vfs());
    writer =
        std::make_unique<Writer>(std::move(connection), *position, writing, listener, std::nullopt);
    return {};
}

result<void> SqliteStore::Impl::open_read_only(Error why) {
    // A log with something in it must be read too; SQLite can when its files are there.
    const bool log = size_of(file.string() + "-wal") > 0;
    const auto mode = log ? Connection::Mode::kReader : Connection::Mode::kImmutable;
    auto opened = Connection::open(file, mode, vfs());
    if (!opened) return tl::unexpected(std::move(opened).error());
    const auto schema = check_schema(**opened);
    if (!schema) return tl::unexpected(schema.error());
    if (*schema != newest_schema()) return fail(std::move(why));
    // Only `status` tells it, and a damaged one is not worth refusing the rest for.
    const auto position = Writer::last_position(**opened);
    log::warn("store_read_only", {{"file", file.string()}, {"reason", why.message}});
    readers = std::make_unique<ReaderPool>(file, mode, vfs());
    writer = std::make_unique<Writer>(std::move(*opened), position.value_or(0), Writer::Options{},
                                      nullptr, std::move(why));
    return {};
}

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

result<std::unique_ptr<SqliteStore>> SqliteStore::open(Options options, Runtime& runtime,
                                                       memory::CommitListener* listener) {
    const auto folder = options.data_dir;
    AETERNA_TRY(make_folder(folder));
    auto impl = std::make_unique<Impl>(std::move(options), runtime);
    auto lock = FolderLock::take(folder, SystemClock().now());
    if (!lock) return tl::unexpected(std::move(lock).error());
    impl->lock = std::move(*lock);
    const bool there = size_of(impl->file) > 0;
    auto opened = impl->lock->writable()
                      ? impl->open_writable(listener)
                      : result<void>(tl::unexpected(not_writable(folder, EROFS)));
    if (!opened && there && may_be_read(opened.error())) {
        Error why = opened.error();
        why.message += "; opened for reading only: restart aeterna once that is done";
        if (impl->open_read_only(std::move(why))) opened = {};
    }
    if (!opened) return tl::unexpected(std::move(opened).error());
    return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(impl)));
}

SqliteStore::~SqliteStore() {
    close();
}

void SqliteStore::close() {
    if (!impl_->lock) return;
    // The readers first: the last connection to go is the writer's, which clears the log away.
    impl_->readers->close();
    impl_->writer->stop();
    impl_->lock.reset();
}

void SqliteStore::announce(const std::string& url) {
    if (impl_->lock) impl_->lock->announce(url);
}

std::filesystem::path SqliteStore::file() const {
    return impl_->file;
}

// ----------------------------------------------------------------------------------------------
// writes

task<result<memory::Committed>> SqliteStore::execute(memory::UnitOfWork work, Deadline deadline) {
    auto make = [&work, deadline](auto complete) -> std::unique_ptr<WriteJob> {
        return std::make_unique<UnitJob>(std::move(work), deadline, std::move(complete));
    };
    co_return co_await impl_->write<memory::Committed>(std::move(make));
}

task<result<std::size_t>> SqliteStore::expire(Timestamp now, std::size_t limit, Deadline deadline) {
    FunctionJob<std::size_t>::Apply apply = [now, limit](WriteTransaction& transaction) {
        return storage::expire(transaction, now, std::min(limit, kExpireAtOnce));
    };
    co_return co_await impl_->write_function<std::size_t>(std::move(apply), deadline);
}

task<result<std::size_t>> SqliteStore::purge(Timestamp deleted_before, Timestamp keys_before,
                                             std::size_t limit, Deadline deadline) {
    FunctionJob<std::size_t>::Apply apply = [deleted_before, keys_before,
                                             limit](WriteTransaction& transaction) {
        return storage::purge(transaction, deleted_before, keys_before,
                              std::min(limit, kPurgeAtOnce));
    };
    co_return co_await impl_->write_function<std::size_t>(std::move(apply), deadline);
}

task<result<void>> SqliteStore::put_key(security::ApiKey key, Deadline deadline) {
    FunctionJob<bool>::Apply apply =
        [key = std::move(key)](WriteTransaction& transaction) -> result<bool> {
        AETERNA_TRY(storage::put_key(transaction.connection(), key));
        return true;
    };
    AETERNA_CO_TRY(co_await impl_->write_function<bool>(std::move(apply), deadline));
    co_return result<void>();
}

task<result<bool>> SqliteStore::revoke_key(TenantId tenant, KeyId id, Timestamp now,
                                           Deadline deadline) {
    FunctionJob<bool>::Apply apply = [tenant = std::move(tenant), id,
                                      now](WriteTransaction& transaction) {
        return storage::revoke_key(transaction.connection(), tenant, id, now);
    };
    co_return co_await impl_->write_function<bool>(std::move(apply), deadline);
}

// ----------------------------------------------------------------------------------------------
// reads

task<result<std::optional<memory::Memory>>> SqliteStore::find(TenantId tenant, MemoryId id,
                                                              Timestamp now,
                                                              std::optional<Timestamp> as_of,
                                                              Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::find(c, tenant, id, now, as_of); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<std::vector<memory::Memory>>> SqliteStore::find_many(TenantId tenant,
                                                                 std::vector<MemoryId> ids,
                                                                 Timestamp now, Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::find_many(c, tenant, ids, now); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<std::vector<memory::MemoryVersion>>> SqliteStore::history(TenantId tenant, MemoryId id,
                                                                      Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::history(c, tenant, id); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<memory::Page>> SqliteStore::list(memory::ListQuery query, Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::list(c, query, deadline); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<std::optional<memory::Session>>> SqliteStore::find_session(TenantId tenant,
                                                                       std::string id,
                                                                       Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::find_session(c, tenant, id); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<std::vector<memory::MemoryRecord>>> SqliteStore::valid_at(
    std::vector<memory::Scope> scopes, Timestamp at, Deadline deadline) {
    const auto limit = static_cast<std::size_t>(impl_->options.valid_at_limit);
    auto ask = [&](Connection& c) { return storage::valid_at(c, scopes, at, limit); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<std::vector<memory::MemoryRecord>>> SqliteStore::scan(std::optional<TenantId> tenant,
                                                                  std::optional<MemoryId> after,
                                                                  std::size_t limit,
                                                                  Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::scan(c, tenant, after, limit); };
    auto scanned = co_await impl_->read(ask, deadline);
    if (!scanned) co_return tl::unexpected(std::move(scanned).error());
    impl_->unreadable += scanned->unreadable;
    co_return std::move(scanned->records);
}

task<result<memory::StoreStatus>> SqliteStore::status(Deadline deadline) {
    memory::StoreStatus status;
    status.position = impl_->writer->position();
    status.trouble = impl_->writer->trouble();
    const std::string file = impl_->file.string();
    status.bytes = size_of(file) + size_of(file + "-wal") + size_of(file + "-shm");
    if (!status.trouble && impl_->unreadable > 0) {
        status.trouble = Error(Code::kCorrupt, "store_corrupt",
                               fmt::format("{} is damaged, some memories do not read: save the "
                                           "others with `aeterna export`, then restore a backup "
                                           "or import that export into a new data folder",
                                           file));
    }
    if (const auto live = impl_->writer->live()) {
        status.memories = *live;
        co_return status;
    }
    auto ask = [](Connection& c) { return count_live(c); };
    const auto counted = co_await impl_->read(ask, deadline);
    if (counted) {
        status.memories = *counted;
    } else if (!status.trouble) {
        status.trouble = counted.error();
    }
    co_return status;
}

task<result<std::optional<security::ApiKey>>> SqliteStore::find_key(KeyId id, Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::find_key(c, id); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<std::vector<security::ApiKey>>> SqliteStore::list_keys(TenantId tenant,
                                                                   Deadline deadline) {
    auto ask = [&](Connection& c) { return storage::list_keys(c, tenant); };
    co_return co_await impl_->read(ask, deadline);
}

task<result<bool>> SqliteStore::any_key(Deadline deadline) {
    auto ask = [now = SystemClock().now()](Connection& c) { return storage::any_key(c, now); };
    co_return co_await impl_->read(ask, deadline);
}

}  // namespace aeterna::storage
