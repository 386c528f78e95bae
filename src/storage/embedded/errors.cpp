#include <cerrno>

#include <fmt/format.h>
#include <sqlite3.h>

#include "storage/embedded/connection.hpp"

namespace aeterna::storage {

Error translate(int code, int native, std::string_view detail, const std::filesystem::path& file) {
    const auto text = [&](std::string_view what) {
        return fmt::format("{} (SQLite {}: {})", what, code, detail);
    };
    const bool no_room = native == ENOSPC || native == EDQUOT || native == EFBIG;
    switch (code & 0xff) {
        case SQLITE_FULL:
            return Error(Code::kStorageFull, "storage_full",
                         text(fmt::format("no room on the disk of {}: free some, then repeat the "
                                          "request",
                                          file.string())));
        case SQLITE_IOERR:
            // A flush that found no room may still have happened; a write that found none has not.
            if (no_room && code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC)
                return translate(SQLITE_FULL, native, detail, file);
            return Error(Code::kUnavailable, "storage_failed",
                         text(fmt::format("the disk under {} fails: look at the kernel's log",
                                          file.string())));
        case SQLITE_READONLY:
        case SQLITE_PERM:
            return Error(Code::kUnavailable, "read_only",
                         text(fmt::format("{} cannot be written: check the owner, the mode and the "
                                          "mount of its folder",
                                          file.string())));
        case SQLITE_CANTOPEN:
            if (no_room) return translate(SQLITE_FULL, native, detail, file);
            return Error(Code::kUnavailable, "cannot_open",
                         text(fmt::format("{} cannot be opened: check that its folder exists and "
                                          "belongs to this user",
                                          file.string())));
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Error(Code::kCorrupt, "store_corrupt",
                         text(fmt::format("{} is damaged: save what still reads with `aeterna "
                                          "export`, then restore a backup or import that export "
                                          "into a new data folder",
                                          file.string())));
        case SQLITE_INTERRUPT:
            return Error(Code::kDeadlineExceeded, "the time for this read ran out");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
            return Error(
                Code::kUnavailable, "store_busy",
                text(fmt::format("{} is locked by another program: close it", file.string())));
        case SQLITE_NOMEM:
            return Error(Code::kUnavailable, "out_of_memory", text("no memory for the store"));
        case SQLITE_TOOBIG:
            return Error(Code::kTooLarge, text("a value is too large for the store"));
        case SQLITE_CONSTRAINT:
            return Error(Code::kConflict, "constraint", text("the row breaks a rule of the store"));
        default:
            return Error(Code::kInternal, text("the store refused a statement"));
    }
}

bool is_storage_failure(const Error& error) noexcept {
    switch (error.code) {
        case Code::kStorageFull:
        case Code::kUnavailable:
        case Code::kCorrupt:
        case Code::kInternal:
        case Code::kOutcomeUnknown:
            return true;
        default:
            return false;
    }
}

}  // namespace aeterna::storage
