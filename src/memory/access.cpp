#include "memory/access.hpp"

#include <fmt/format.h>

namespace aeterna::memory {

result<void> authorize(const security::Principal& caller, Layer layer,
                       const Identifiers& identifiers, Access access) {
    if (access == Access::kWrite && !caller.may_write()) {
        return fail(Code::kForbidden, "read_only_role",
                    fmt::format("{} may only read; writing needs the role Developer or above",
                                caller.subject.str()));
    }
    if (caller.administers_tenant()) return {};
    const std::string& self = caller.subject.str();
    const auto refuse = [&](std::string_view name, const std::string& other) {
        return fail(
            Code::kForbidden, "not_your_memory",
            fmt::format(
                "{} \"{}\" is not {}: the {} layer of another subject needs the role TenantAdmin",
                name, other, self, name_of(layer)));
    };
    switch (layer) {
        case Layer::kAgent:
            if (identifiers.user_id != self && identifiers.agent_id != self) {
                return refuse("identifiers.agentId", identifiers.agent_id);
            }
            return {};
        case Layer::kUser:
        case Layer::kSession:
            if (identifiers.user_id != self)
                return refuse("identifiers.userId", identifiers.user_id);
            return {};
        case Layer::kProject:
        case Layer::kTeam:
        case Layer::kOrg:
        case Layer::kCompany:
            return {};
    }
    return {};
}

}  // namespace aeterna::memory
