#pragma once
#include "base/result.hpp"
#include "storage/embedded/connection.hpp"

namespace aeterna::storage {

/// "Aetr", in the header of the file: a database of another program is not touched.
inline constexpr std::int64_t kApplicationId = 0x41657472;

/// How a write connection works: every commit is flushed, little is kept in memory.
inline constexpr const char* kWriterPragmas =
    "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;"
    "PRAGMA journal_size_limit = 67108864; PRAGMA foreign_keys = OFF;";

/// The schema this program writes.
[[nodiscard]] std::int64_t newest_schema() noexcept;
/// Refuses the database of another program (kConflict "foreign_database") and of a newer Aeterna
/// ("newer_schema"). Answers the version that stands there; 0: empty.
[[nodiscard]] result<std::int64_t> check_schema(Connection& connection);
/// Brings the database to `newest_schema()`, each step in a transaction of its own.
[[nodiscard]] result<void> migrate(Connection& connection);

}  // namespace aeterna::storage
