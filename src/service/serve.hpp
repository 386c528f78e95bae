#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "security/api_key.hpp"

namespace aeterna::service {

/// `aeterna serve`: runs until SIGTERM or SIGINT; the exit code of the process.
[[nodiscard]] int serve(const config::Settings& settings);

struct McpOptions {
    std::string url;  ///< of a running server; empty: the one that holds the data folder, else one
                      ///< of our own
    std::string token;  ///< for that server
};
/// `aeterna mcp`: MCP over stdin and stdout until end of input.
[[nodiscard]] int serve_mcp_stdio(const config::Settings& settings, const McpOptions& options);

/// Keys straight in the data folder, for the time before the first start off loopback. kConflict
/// "data_folder_in_use" while a server runs on it: then the API is the way.
[[nodiscard]] result<security::MintedKey> create_key_offline(const config::Settings& settings,
                                                             TenantId tenant, Subject subject,
                                                             std::vector<security::Role> roles,
                                                             std::string label,
                                                             std::optional<Timestamp> expires_at);
[[nodiscard]] result<std::vector<security::ApiKey>> list_keys_offline(
    const config::Settings& settings, TenantId tenant);
[[nodiscard]] result<bool> revoke_key_offline(const config::Settings& settings, TenantId tenant,
                                              KeyId id);

}  // namespace aeterna::service
