#pragma once
#include <map>
#include <string>

#include "net/http_server.hpp"
#include "observe/metrics.hpp"

namespace aeterna::net {

/// The usual probe of an HTTP server. `listener` is a fixed word: "api", "ops".
class HttpServerMetrics final : public HttpServerProbe {
  public:
    HttpServerMetrics(observe::Metrics& metrics, const std::string& listener);
    void connection_opened() override;
    void connection_closed() override;
    void rejected(std::string_view why) override;

  private:
    observe::Counter accepted_;
    observe::Gauge open_;
    std::map<std::string, observe::Counter, std::less<>> rejected_;
};

}  // namespace aeterna::net
