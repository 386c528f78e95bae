#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::observe {

/// Handles are kept by probes; look-ups happen once. Every name is in src/observe/metrics.golden.
/// A handle that was never given out does nothing.
class Counter {
  public:
    void add(double amount = 1) const;
    void* handle = nullptr;
};
class Gauge {
  public:
    void set(double value) const;
    void add(double amount) const;
    void* handle = nullptr;
};
class Histogram {
  public:
    void observe(double value) const;
    void observe(std::chrono::nanoseconds span) const;  ///< in seconds
    void* handle = nullptr;
};

struct Label {
    std::string name, value;
};

/// The process's metrics, rendered in the Prometheus text format 0.0.4. Safe from any thread.
/// Asking again for one name and label set gives the same handle. A name asked for as another type,
/// a name or label Prometheus does not allow, and label sets past kMaxSeries per name are logged
/// and give a handle that does nothing. `buckets` are upper bounds; none: 0.5 ms to 10 s.
class Metrics {
  public:
    static constexpr std::size_t kMaxSeries = 512;

    Metrics();
    ~Metrics();
    [[nodiscard]] Counter counter(std::string_view name, std::string_view help,
                                  std::vector<Label> labels = {});
    [[nodiscard]] Gauge gauge(std::string_view name, std::string_view help,
                              std::vector<Label> labels = {});
    [[nodiscard]] Histogram histogram(std::string_view name, std::string_view help,
                                      std::vector<Label> labels = {},
                                      std::vector<double> buckets = {});
    /// "name type" of everything registered so far, sorted: what metrics.golden lists.
    [[nodiscard]] std::vector<std::string> names() const;
    /// `refresh` runs before each render, for gauges that are read rather than counted.
    void before_render(std::function<void()> refresh);
    [[nodiscard]] std::string render() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::observe
