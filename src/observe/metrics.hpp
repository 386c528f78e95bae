#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::observe {

/// Handles are kept by probes; look-ups happen once. Every name is in src/observe/metrics.golden.
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

/// The process's metrics, rendered in the Prometheus text format 0.0.4.
class Metrics {
  public:
    Metrics();
    ~Metrics();
    [[nodiscard]] Counter counter(std::string_view name, std::string_view help,
                                  std::vector<Label> labels = {});
    [[nodiscard]] Gauge gauge(std::string_view name, std::string_view help,
                              std::vector<Label> labels = {});
    [[nodiscard]] Histogram histogram(std::string_view name, std::string_view help,
                                      std::vector<Label> labels = {});
    /// `refresh` runs before each render, for gauges that are read rather than counted.
    void before_render(std::function<void()> refresh);
    [[nodiscard]] std::string render() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::observe
