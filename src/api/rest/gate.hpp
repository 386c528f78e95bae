#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/http.hpp"
#include "runtime/task.hpp"
#include "security/api_key.hpp"
#include "security/principal.hpp"

namespace aeterna::rest {

struct GateOptions {
    /// Callers without a token are let in as the loopback principal. Only for the embedded store on
    /// a loopback listener.
    bool open_on_loopback = false;
    std::vector<std::string> allowed_hosts;    ///< beyond the names of loopback, without ports
    std::vector<std::string> allowed_origins;  ///< beyond those whose host is a name of loopback
};

/// Decides who a request comes from: a Bearer token, or (contract §2) nobody at all when the peer
/// is on loopback, the Host is known (DNS rebinding), the Origin is absent or allowed, and a POST
/// or PUT says it is JSON (cross-site forms).
class Gate {
  public:
    Gate(security::KeyStore& keys, const Clock& clock, GateOptions options)
        : keys_(keys), clock_(clock), options_(std::move(options)) {}

    task<result<security::Principal>> admit(const net::HttpRequest& request,
                                            Deadline deadline) const;

  private:
    [[nodiscard]] result<void> check_loopback_rule(const net::HttpRequest& request) const;

    security::KeyStore& keys_;
    const Clock& clock_;
    GateOptions options_;
};

/// "application/json; charset=utf-8" → "application/json".
[[nodiscard]] std::string media_type(std::string_view content_type);

}  // namespace aeterna::rest
