#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace aeterna::storage {

/// The process that has a data folder open.
struct LockOwner {
    std::int64_t pid = 0;
    std::string url;  ///< empty until the process announced one
    Timestamp since{};
    bool operator==(const LockOwner&) const = default;
};

/// Who has this data folder open; empty when nobody has. An owner that could not leave a word (its
/// folder is read only, its disk full) has pid 0. Takes no lock, changes nothing.
[[nodiscard]] std::optional<LockOwner> read_lock_owner(const std::filesystem::path& data_dir);

/// Keeps a data folder for one process, by a lock on `aeterna.lock` that the kernel drops with the
/// process, however it ends.
class FolderLock {
  public:
    /// kConflict "data_folder_in_use" names the first. When the folder cannot be written, the lock
    /// is held without leaving a word (`writable()` is false).
    [[nodiscard]] static result<std::unique_ptr<FolderLock>> take(
        const std::filesystem::path& data_dir, Timestamp now);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

    void announce(const std::string& url);
    [[nodiscard]] bool writable() const noexcept { return writable_; }

  private:
    FolderLock(int file, bool writable, Timestamp since)
        : file_(file), writable_(writable), since_(since) {}
    int file_;  ///< -1: the folder cannot be written and has no lock file
    bool writable_;
    Timestamp since_;
};

}  // namespace aeterna::storage
