#pragma once
#include <optional>
#include <vector>

#include "security/api_key.hpp"
#include "storage/embedded/connection.hpp"

/// API keys as rows.
namespace aeterna::storage {

/// kConflict "key_exists" when another tenant has this id.
[[nodiscard]] result<void> put_key(Connection& connection, const security::ApiKey& key);
[[nodiscard]] result<bool> revoke_key(Connection& connection, const TenantId& tenant,
                                      const KeyId& id, Timestamp now);
[[nodiscard]] result<std::optional<security::ApiKey>> find_key(Connection& connection,
                                                               const KeyId& id);
[[nodiscard]] result<std::vector<security::ApiKey>> list_keys(Connection& connection,
                                                              const TenantId& tenant);
[[nodiscard]] result<bool> any_key(Connection& connection, Timestamp now);

}  // namespace aeterna::storage
