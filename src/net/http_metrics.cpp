#include "net/http_metrics.hpp"

namespace aeterna::net {

HttpServerMetrics::HttpServerMetrics(observe::Metrics& metrics, const std::string& listener)
    : accepted_(metrics.counter("aeterna_http_connections_total", "Connections accepted.",
                                {{"listener", listener}})),
      open_(metrics.gauge("aeterna_http_connections", "Connections open now.",
                          {{"listener", listener}})) {
    for (const char* why : {"malformed", "too_large", "timeout", "full"}) {
        rejected_.emplace(why, metrics.counter("aeterna_http_rejected_total",
                                               "Requests and connections refused before a handler.",
                                               {{"listener", listener}, {"why", why}}));
    }
}

void HttpServerMetrics::connection_opened() {
    accepted_.add();
    open_.add(1);
}

void HttpServerMetrics::connection_closed() {
    open_.add(-1);
}

void HttpServerMetrics::rejected(std::string_view why) {
    if (const auto at = rejected_.find(why); at != rejected_.end()) at->second.add();
}

}  // namespace aeterna::net
