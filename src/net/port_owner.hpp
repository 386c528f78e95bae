#pragma once
#include <string>

#include "net/http.hpp"

namespace aeterna::net {

/// Who listens where `wanted` cannot: "aeterna (pid 4711)", read from /proc; empty when it is not
/// to be known (another user's process, another namespace).
[[nodiscard]] std::string port_owner(const Endpoint& wanted);

}  // namespace aeterna::net
