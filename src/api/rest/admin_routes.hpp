#pragma once
#include <functional>
#include <string>
#include <vector>

#include "api/rest/rest_api.hpp"
#include "memory/ports.hpp"
#include "security/api_key.hpp"

namespace aeterna::rest {

struct ServerFacts {
    std::vector<std::string> roles;
    Timestamp started_at{};
};

/// GET /api/v1 (the routes), GET /api/v1/status.
void add_status_routes(RestApi& api, ServerFacts facts, memory::MemoryStore& store,
                       memory::MemoryIndex& index, const memory::Embedder& embedder,
                       const Clock& clock);
/// POST /api/v1/index/rebuild, GET /api/v1/index/verify. Need TenantAdmin.
void add_index_routes(RestApi& api, memory::MemoryIndex& index);
/// GET and POST /api/v1/keys, POST /api/v1/keys/{id}/revoke. Need TenantAdmin; a key is shown once.
void add_key_routes(RestApi& api, security::KeyStore& keys, const Clock& clock);

[[nodiscard]] json::Object to_json(const security::ApiKey& key);
/// {"subject","roles"?,"label"?,"expiresAt"?}; roles default to Developer. Nobody mints more than
/// they have.
[[nodiscard]] result<security::MintedKey> read_and_mint(const json::Object& body,
                                                        const security::Principal& caller,
                                                        Timestamp now);

}  // namespace aeterna::rest
