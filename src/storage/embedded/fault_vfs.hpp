#pragma once
#include <atomic>
#include <cstring>
#include <string>

#include <sqlite3.h>

/// A disk that fails on demand, for tests: the system's own VFS with switches in front.
namespace aeterna::storage {

struct Faults {
    std::atomic<bool> no_room{false};   ///< every write that makes a file longer is refused
    std::atomic<int> failing_syncs{0};  ///< so many of the next flushes fail
    std::atomic<bool> failing_reads{false};
};
inline Faults faults;

namespace fault_vfs {

struct File {
    sqlite3_file base;
    sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
inline sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<File*>(file)->real();
}

inline int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    sqlite3_int64 length = 0;
    real(file)->pMethods->xFileSize(real(file), &length);
    if (faults.no_room && offset + size > length) return SQLITE_FULL;
    return real(file)->pMethods->xWrite(real(file), data, size, offset);
}
inline int sync(sqlite3_file* file, int flags) {
    int left = faults.failing_syncs;
    if (left > 0) {
        faults.failing_syncs = left - 1;
        return SQLITE_IOERR_FSYNC;
    }
    return real(file)->pMethods->xSync(real(file), flags);
}
inline int read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
    if (faults.failing_reads) return SQLITE_IOERR_READ;
    return real(file)->pMethods->xRead(real(file), data, size, offset);
}

inline const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods table = [] {
        sqlite3_io_methods m = {};
        m.iVersion = 2;
        m.xClose = [](sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); };
        m.xRead = read;
        m.xWrite = write;
        m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
            return real(f)->pMethods->xTruncate(real(f), size);
        };
        m.xSync = sync;
        m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
            return real(f)->pMethods->xFileSize(real(f), size);
        };
        m.xLock = [](sqlite3_file* f, int level) {
            return real(f)->pMethods->xLock(real(f), level);
        };
        m.xUnlock = [](sqlite3_file* f, int level) {
            return real(f)->pMethods->xUnlock(real(f), level);
        };
        m.xCheckReservedLock = [](sqlite3_file* f, int* held) {
            return real(f)->pMethods->xCheckReservedLock(real(f), held);
        };
        m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
            return real(f)->pMethods->xFileControl(real(f), op, arg);
        };
        m.xSectorSize = [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); };
        m.xDeviceCharacteristics = [](sqlite3_file* f) {
            return real(f)->pMethods->xDeviceCharacteristics(real(f));
        };
        m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
            return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
        };
        m.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
            return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
        };
        m.xShmBarrier = [](sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); };
        m.xShmUnmap = [](sqlite3_file* f, int remove) {
            return real(f)->pMethods->xShmUnmap(real(f), remove);
        };
        return m;
    }();
    return table;
}

inline int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    auto* system = static_cast<sqlite3_vfs*>(vfs->pAppData);
    file->pMethods = nullptr;
    const int code = system->xOpen(system, name, real(file), flags, out);
    if (real(file)->pMethods != nullptr) file->pMethods = &methods();
    return code;
}

}  // namespace fault_vfs

/// Registers the failing disk once and heals it; answers its name for `Options::vfs`.
inline std::string healthy_fault_vfs() {
    static sqlite3_vfs vfs = [] {
        sqlite3_initialize();
        sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
        sqlite3_vfs copy = *system;
        copy.zName = "aeterna-faults";
        copy.pAppData = system;
        copy.szOsFile = static_cast<int>(sizeof(fault_vfs::File)) + system->szOsFile;
        copy.xOpen = fault_vfs::open;
        return copy;
    }();
    static const int registered = sqlite3_vfs_register(&vfs, 0);
    faults.no_room = false;
    faults.failing_syncs = 0;
    faults.failing_reads = false;
    return registered == SQLITE_OK ? vfs.zName : "";
}

}  // namespace aeterna::storage
