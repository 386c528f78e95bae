#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace aeterna::security {

/// Strongest first.
enum class Role : std::uint8_t {
    kPlatformAdmin,
    kTenantAdmin,
    kAdmin,
    kArchitect,
    kTechLead,
    kDeveloper,
    kViewer,
    kAgent
};
[[nodiscard]] std::string_view name_of(Role role) noexcept;
[[nodiscard]] std::optional<Role> role_named(std::string_view name) noexcept;

/// Who is calling, as proven by a token or by the loopback rule; never taken from a header or body.
struct Principal {
    TenantId tenant;
    Subject subject;
    std::vector<Role> roles;

    [[nodiscard]] bool has(Role role) const noexcept;
    /// May read and write what belongs to other subjects of the tenant.
    [[nodiscard]] bool administers_tenant() const noexcept;
    [[nodiscard]] bool may_write() const noexcept;  ///< everybody but a mere Viewer
};

/// The caller of a process that needs no token: tenant "local", subject "local", TenantAdmin.
[[nodiscard]] Principal loopback_principal();

}  // namespace aeterna::security
