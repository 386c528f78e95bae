#include "security/principal.hpp"

#include <algorithm>
#include <array>

namespace aeterna::security {

namespace {
constexpr std::array<std::string_view, 8> kNames{"PlatformAdmin", "TenantAdmin", "Admin",
                                                 "Architect",     "TechLead",    "Developer",
                                                 "Viewer",        "Agent"};
}

std::string_view name_of(Role role) noexcept {
    return kNames[static_cast<std::size_t>(role)];
}

std::optional<Role> role_named(std::string_view name) noexcept {
    const auto at = std::ranges::find(kNames, name);
    if (at == kNames.end()) return std::nullopt;
    return static_cast<Role>(at - kNames.begin());
}

bool Principal::has(Role role) const noexcept {
    return std::ranges::find(roles, role) != roles.end();
}

bool Principal::administers_tenant() const noexcept {
    return has(Role::kPlatformAdmin) || has(Role::kTenantAdmin);
}

bool Principal::may_write() const noexcept {
    return std::ranges::any_of(roles, [](Role role) { return role != Role::kViewer; });
}

Principal loopback_principal() {
    return {TenantId("local"), Subject("local"), {Role::kTenantAdmin}};
}

}  // namespace aeterna::security
