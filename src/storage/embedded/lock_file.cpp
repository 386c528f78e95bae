#include "storage/embedded/lock_file.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "json/codec.hpp"

namespace aeterna::storage {

namespace {

constexpr std::string_view kLockName = "aeterna.lock";

struct flock whole_file(short type) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::optional<LockOwner> read_owner(int file) {
    std::array<char, 4096> text{};
    const ssize_t size = ::pread(file, text.data(), text.size(), 0);
    if (size <= 0) return std::nullopt;
    auto body = json::parse_object({text.data(), static_cast<std::size_t>(size)});
    if (!body) return std::nullopt;
    json::Reader reader(*body, "");
    LockOwner owner;
    owner.pid = reader.integer("pid", 1, INT32_MAX).value_or(0);
    owner.since = reader.time("startedAt").value_or(Timestamp{});
    owner.url = reader.text("url", 2000).value_or("");
    if (owner.pid == 0) return std::nullopt;
    return owner;
}

/// True when another open file holds a lock that a writer's would meet.
bool is_held(int file) {
    struct flock probe = whole_file(F_WRLCK);
    return ::fcntl(file, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

Error in_use(const std::filesystem::path& data_dir, const std::optional<LockOwner>& owner) {
    if (!owner) {
        return Error(Code::kConflict, "data_folder_in_use",
                     fmt::format("the data folder {} is in use by another process that is just "
                                 "starting: stop it, or choose another --data-dir",
                                 data_dir.string()));
    }
    Error error(Code::kConflict, "data_folder_in_use",
                fmt::format("the data folder {} is in use by process {} since {}{}: use that one, "
                            "stop it, or choose another --data-dir",
                            data_dir.string(), owner->pid, to_rfc3339(owner->since),
                            owner->url.empty() ? "" : fmt::format(", at {}", owner->url)));
    return std::move(error).with("pid", owner->pid).with("url", owner->url);
}

}  // namespace

std::optional<LockOwner> read_lock_owner(const std::filesystem::path& data_dir) {
    const int file = ::open((data_dir / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::optional<LockOwner> owner;
    if (is_held(file)) owner = read_owner(file).value_or(LockOwner{});
    ::close(file);
    return owner;
}

result<std::unique_ptr<FolderLock>> FolderLock::take(const std::filesystem::path& data_dir,
                                                     Timestamp now) {
    const auto path = data_dir / kLockName;
    bool writable = true;
    int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 && (errno == EROFS || errno == EACCES || errno == EPERM)) {
        writable = false;
        file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0 && (errno == ENOENT || errno == EACCES)) {
            return std::unique_ptr<FolderLock>(new FolderLock(-1, false, now));
        }
    }
    if (file < 0) {
        const int why = errno;
        return fail(why == ENOSPC ? Code::kStorageFull : Code::kUnavailable,
                    fmt::format("{} cannot be opened: {}", path.string(),
                                std::generic_category().message(why)));
    }
    // Of the open file, not of the process: a second store in one process is refused as well.
    struct flock lock = whole_file(writable ? F_WRLCK : F_RDLCK);
    if (::fcntl(file, F_OFD_SETLK, &lock) != 0) {
        const int why = errno;
        const auto owner = read_owner(file);
        ::close(file);
        if (why == EAGAIN || why == EACCES) return fail(in_use(data_dir, owner));
        return fail(Code::kUnavailable, "cannot_lock",
                    fmt::format("{} cannot be locked ({}): put the data folder on a local disk",
                                path.string(), std::generic_category().message(why)));
    }
    std::unique_ptr<FolderLock> out(new FolderLock(file, writable, now));
    out->announce("");
    return out;
}

FolderLock::~FolderLock() {
    if (file_ < 0) return;
    // The words go before the lock does: nobody reads of an owner that is no more.
    if (writable_) std::ignore = ::ftruncate(file_, 0);
    ::close(file_);
}

void FolderLock::announce(const std::string& url) {
    if (file_ < 0 || !writable_) return;
    const std::string text = json::write(json::Object{{"pid", std::int64_t{::getpid()}},
                                                      {"program", "aeterna"},
                                                      {"startedAt", to_rfc3339(since_)},
                                                      {"url", url}}) +
                             "\n";
    // Only information: on a full disk the lock still holds without it.
    std::ignore = ::ftruncate(file_, 0);
    std::ignore = ::pwrite(file_, text.data(), text.size(), 0);
}

}  // namespace aeterna::storage
