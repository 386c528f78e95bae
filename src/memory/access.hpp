#pragma once
#include "base/result.hpp"
#include "memory/types.hpp"
#include "security/principal.hpp"

namespace aeterna::memory {

enum class Access : std::uint8_t { kRead, kWrite };

/// Personal layers (agent, user, session) belong to their userId (or agentId): another subject
/// needs TenantAdmin. Wider layers are the tenant's. A Viewer only reads. Error: kForbidden with
/// what would be needed.
[[nodiscard]] result<void> authorize(const security::Principal& caller, Layer layer,
                                     const Identifiers& identifiers, Access access);

}  // namespace aeterna::memory
