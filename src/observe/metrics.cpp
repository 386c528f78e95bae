#include "observe/metrics.hpp"

#include <map>
#include <mutex>
#include <set>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "observe/log.hpp"

namespace aeterna::observe {

void Counter::add(double amount) const {
    if (handle != nullptr) static_cast<prometheus::Counter*>(handle)->Increment(amount);
}
void Gauge::set(double value) const {
    if (handle != nullptr) static_cast<prometheus::Gauge*>(handle)->Set(value);
}
void Gauge::add(double amount) const {
    if (handle != nullptr) static_cast<prometheus::Gauge*>(handle)->Increment(amount);
}
void Histogram::observe(double value) const {
    if (handle != nullptr) static_cast<prometheus::Histogram*>(handle)->Observe(value);
}
void Histogram::observe(std::chrono::nanoseconds span) const {
    observe(std::chrono::duration<double>(span).count());
}

struct Metrics::Impl {
    prometheus::Registry registry{prometheus::Registry::InsertBehavior::Throw};
    mutable std::mutex mutex;
    std::map<std::string, std::string, std::less<>> types;  // name -> "counter", ...
    std::map<std::string, void*, std::less<>> families;
    std::map<std::string, std::set<std::map<std::string, std::string>>, std::less<>> series;
    std::vector<std::function<void()>> refreshers;

    /// The metric of `name` and `labels`, made when it is new; nullptr when that cannot be.
    template <class Metric, class Builder, class... Rest>
    void* metric(Builder builder, std::string_view type, std::string_view name,
                 std::string_view help, const std::vector<Label>& labels, const Rest&... rest) {
        const std::lock_guard lock(mutex);
        std::map<std::string, std::string> wanted;
        for (const Label& label : labels) wanted.emplace(label.name, label.value);
        try {
            auto known = types.find(name);
            if (known == types.end()) {
                auto& family =
                    builder.Name(std::string(name)).Help(std::string(help)).Register(registry);
                families.emplace(std::string(name), &family);
                known = types.emplace(std::string(name), std::string(type)).first;
            }
            if (known->second != type) return refuse(name, "it is a " + known->second);
            auto& sets = series[known->first];
            if (!sets.contains(wanted)) {
                if (sets.size() >= kMaxSeries) return refuse(name, "too many label sets");
                sets.insert(wanted);
            }
            auto* family =
                static_cast<prometheus::Family<Metric>*>(families.find(known->first)->second);
            return &family->Add(wanted, rest...);
        } catch (const std::exception& error) {
            return refuse(name, error.what());
        }
    }

    static void* refuse(std::string_view name, std::string_view why) {
        log::limited(log::Level::kError, "metric_refused", "metric_refused",
                     {{"name", name}, {"why", why}});
        return nullptr;
    }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(std::string_view name, std::string_view help, std::vector<Label> labels) {
    return {impl_->metric<prometheus::Counter>(prometheus::BuildCounter(), "counter", name, help,
                                               labels)};
}

Gauge Metrics::gauge(std::string_view name, std::string_view help, std::vector<Label> labels) {
    return {
        impl_->metric<prometheus::Gauge>(prometheus::BuildGauge(), "gauge", name, help, labels)};
}

Histogram Metrics::histogram(std::string_view name, std::string_view help,
                             std::vector<Label> labels, std::vector<double> buckets) {
    static const std::vector<double> kSeconds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                              0.1,    0.25,  0.5,    1,     2.5,  5,     10};
    return {impl_->metric<prometheus::Histogram>(prometheus::BuildHistogram(), "histogram", name,
                                                 help, labels,
                                                 buckets.empty() ? kSeconds : buckets)};
}

std::vector<std::string> Metrics::names() const {
    const std::lock_guard lock(impl_->mutex);
    std::vector<std::string> out;
    for (const auto& [name, type] : impl_->types) out.push_back(name + ' ' + type);
    return out;
}

void Metrics::before_render(std::function<void()> refresh) {
    const std::lock_guard lock(impl_->mutex);
    impl_->refreshers.push_back(std::move(refresh));
}

std::string Metrics::render() const {
    std::vector<std::function<void()>> refreshers;
    {
        const std::lock_guard lock(impl_->mutex);
        refreshers = impl_->refreshers;
    }
    for (const auto& refresh : refreshers) refresh();
    return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace aeterna::observe
