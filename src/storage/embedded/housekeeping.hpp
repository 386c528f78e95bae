#pragma once
#include "storage/embedded/transaction.hpp"

namespace aeterna::storage {

/// Turns expired memories into tombstones, as a new version by the actor "aeterna".
[[nodiscard]] result<std::size_t> expire(WriteTransaction& transaction, Timestamp now,
                                         std::size_t limit);
/// Removes for good: what was deleted before `deleted_before` with every version, idempotency keys
/// made before `keys_before`, outbox rows more than a week older than the newest.
[[nodiscard]] result<std::size_t> purge(WriteTransaction& transaction, Timestamp deleted_before,
                                        Timestamp keys_before, std::size_t limit);

}  // namespace aeterna::storage
