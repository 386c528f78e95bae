#include "service/probes.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

#include "base/version.hpp"

namespace aeterna::service {

namespace {

constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"};

double resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    double total = 0;
    double resident = 0;
    statm >> total >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_files() {
    std::error_code error;
    double count = 0;
    for (auto at = std::filesystem::directory_iterator("/proc/self/fd", error);
         !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
        ++count;
    }
    return count;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& at) {
        return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void ApiMetrics::answered(std::string_view method, std::string_view pattern, int status,
                          std::chrono::nanoseconds took) {
    // A caller may send any word as a method; only known ones become labels.
    const std::string_view label =
        std::ranges::find(kMethods, method) == kMethods.end() ? "other" : method;
    const std::string key = std::string(label) + " " + std::string(pattern);
    observe::Counter counter;
    observe::Histogram seconds;
    {
        const std::scoped_lock lock(mutex_);
        auto& handles = routes_[key];
        if (handles.seconds.handle == nullptr) {
            handles.seconds = metrics_.histogram(
                "aeterna_api_request_seconds", "Time from routing to answer.",
                {{"method", std::string(label)}, {"route", std::string(pattern)}});
        }
        auto [at, fresh] = handles.by_status.try_emplace(status);
        if (fresh) {
            at->second = metrics_.counter("aeterna_api_requests_total", "Requests answered.",
                                          {{"method", std::string(label)},
                                           {"route", std::string(pattern)},
                                           {"status", std::to_string(status)}});
        }
        counter = at->second;
        seconds = handles.seconds;
    }
    counter.add();
    seconds.observe(took);
}

StateMetrics::StateMetrics(observe::Metrics& metrics)
    : memories_(metrics.gauge("aeterna_store_memories", "Live memories, all tenants.")),
      position_(metrics.gauge("aeterna_store_position", "Last committed outbox position.")),
      bytes_(metrics.gauge("aeterna_store_bytes", "Size of the store on disk.")),
      writable_(metrics.gauge("aeterna_store_writable", "1 while writes can be acknowledged.")),
      indexed_(metrics.gauge("aeterna_index_memories", "Memories in the search index.")),
      index_position_(
          metrics.gauge("aeterna_index_position", "Last outbox position the index contains.")),
      rebuilding_(metrics.gauge("aeterna_index_rebuilding", "1 while the index is being filled.")),
      without_vector_(
          metrics.gauge("aeterna_index_without_vector", "Indexed memories found by words only.")),
      expired_(
          metrics.counter("aeterna_store_expired_total", "Memories that reached their expiry.")),
      purged_(metrics.counter("aeterna_store_purged_total", "Rows purged after soft deletion.")) {}

void StateMetrics::show(const memory::StoreStatus& store) const {
    memories_.set(static_cast<double>(store.memories));
    position_.set(static_cast<double>(store.position));
    bytes_.set(static_cast<double>(store.bytes));
    writable_.set(store.trouble ? 0 : 1);
}

void StateMetrics::show(const memory::IndexStatus& index) const {
    indexed_.set(static_cast<double>(index.memories));
    index_position_.set(static_cast<double>(index.position));
    rebuilding_.set(index.state == memory::IndexStatus::State::kReady ? 0 : 1);
    without_vector_.set(static_cast<double>(index.without_vector));
}

void StateMetrics::housekept(std::size_t expired, std::size_t purged) const {
    expired_.add(static_cast<double>(expired));
    purged_.add(static_cast<double>(purged));
}

void add_process_metrics(observe::Metrics& metrics) {
    metrics
        .gauge("aeterna_build_info", "Always 1; the version is a label.",
               {{"version", std::string(kVersion)}})
        .set(1);
    metrics.gauge("process_start_time_seconds", "Unix time of the start.")
        .set(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
                 .count());
    const auto resident = metrics.gauge("process_resident_memory_bytes", "Resident memory.");
    const auto cpu = metrics.gauge("process_cpu_seconds", "User and system time used so far.");
    const auto files = metrics.gauge("process_open_fds", "Open file descriptors.");
    metrics.before_render([resident, cpu, files] {
        resident.set(resident_bytes());
        cpu.set(cpu_seconds());
        files.set(open_files());
    });
}

}  // namespace aeterna::service
