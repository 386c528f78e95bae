#pragma once
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "api/rest/rest_api.hpp"
#include "memory/ports.hpp"
#include "observe/metrics.hpp"

namespace aeterna::service {

/// Requests by route: count by status class, seconds.
class ApiMetrics final : public rest::ApiProbe {
  public:
    explicit ApiMetrics(observe::Metrics& metrics) : metrics_(metrics) {}
    void answered(std::string_view method, std::string_view pattern, int status,
                  std::chrono::nanoseconds took) override;

  private:
    struct Handles {
        std::map<int, observe::Counter> by_status;
        observe::Histogram seconds;
    };
    observe::Metrics& metrics_;
    std::mutex mutex_;
    std::map<std::string, Handles, std::less<>>
        routes_;  ///< bounded: patterns and known methods only
};

/// What the store and the index say of themselves, as gauges.
class StateMetrics {
  public:
    explicit StateMetrics(observe::Metrics& metrics);
    void show(const memory::StoreStatus& store) const;
    void show(const memory::IndexStatus& index) const;
    void housekept(std::size_t expired, std::size_t purged) const;

  private:
    observe::Gauge memories_, position_, bytes_, writable_, indexed_, index_position_, rebuilding_,
        without_vector_;
    observe::Counter expired_, purged_;
};

/// aeterna_build_info, process_resident_memory_bytes, process_start_time_seconds,
/// process_cpu_seconds_total, process_open_fds.
void add_process_metrics(observe::Metrics& metrics);

}  // namespace aeterna::service
