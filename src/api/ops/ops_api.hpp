#pragma once
#include <functional>
#include <string>
#include <vector>

#include "json/codec.hpp"
#include "net/http.hpp"
#include "observe/metrics.hpp"
#include "runtime/task.hpp"

namespace aeterna::ops {

enum class Readiness : std::uint8_t { kReady, kDegraded, kNotReady };

struct ReadyReport {
    Readiness readiness = Readiness::kNotReady;
    json::Object checks;  ///< {"store":{"status":"ok",...},"vector_store":{...}}
};

/// The operations listener: /health and /live touch no store, /ready asks `ready`, /metrics
/// renders. Serves from the first moment of the process; `ready` answers kNotReady until the stores
/// stand.
class OpsApi {
  public:
    using ReadyCheck = std::function<task<ReadyReport>()>;
    OpsApi(std::vector<std::string> roles, const observe::Metrics& metrics, ReadyCheck ready)
        : roles_(std::move(roles)), metrics_(metrics), ready_(std::move(ready)) {}

    task<net::HttpResponse> handle(net::HttpRequest request);

  private:
    std::vector<std::string> roles_;
    const observe::Metrics& metrics_;
    ReadyCheck ready_;
};

}  // namespace aeterna::ops
