// A bounded load on a running server: N writers or readers, each on its own connection, one request
// at a time. Prints one JSON object: count, seconds, per second, p50/p95/p99/max in milliseconds,
// failures.
//
//   load URL add COUNT WRITERS [USER]      durable adds with idempotency keys
//   load URL fill COUNT WRITERS [USER]     adds in batches of 500, to make a store large
//   load URL search COUNT READERS [USER]   hybrid searches
//   load URL null COUNT CALLERS            GET /api/v1/status, the calibration of the machine and
//   of this program
#include <atomic>
#include <charconv>
#include <cstdio>
#include <latch>
#include <random>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "base/ids.hpp"
#include "json/codec.hpp"
#include "net/http_client.hpp"
#include "runtime/runtime.hpp"

namespace {

using namespace aeterna;

constexpr std::size_t kBatch = 500;
constexpr std::array<std::string_view, 48> kWords{
    "deploy",    "staging",  "database", "restart", "prefers",   "coffee",  "meeting", "tuesday",
    "invoice",   "customer", "api",      "token",   "cluster",   "backup",  "window",  "release",
    "branch",    "review",   "latency",  "budget",  "quarter",   "roadmap", "feature", "incident",
    "alert",     "memory",   "agent",    "policy",  "project",   "team",    "owner",   "region",
    "frankfurt", "replica",  "failover", "schema",  "migration", "index",   "search",  "vector",
    "cache",     "network",  "storage",  "disk",    "garden",    "holiday", "music",   "travel"};

std::string sentence(std::mt19937_64& rng, std::uint64_t number) {
    // Zipf-like: the square favours the first words, as real text does.
    std::uniform_real_distribution<double> uniform(0, 1);
    std::string out = fmt::format("note {}", number);
    for (int i = 0; i < 14; ++i) {
        const double u = uniform(rng);
        out += ' ';
        out += kWords[static_cast<std::size_t>(u * u * static_cast<double>(kWords.size()))];
    }
    return out;
}

struct Plan {
    net::Url url;
    std::string operation, user;
    std::uint64_t count = 0, callers = 1;
};

struct Shared {
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> failures{0};
    std::mutex mutex;
    std::vector<double> millis;
};

json::Object add_body(const Plan& plan, std::mt19937_64& rng, std::uint64_t number) {
    return {{"content", sentence(rng, number)},
            {"layer", "user"},
            {"identifiers", {{"userId", plan.user}}},
            {"metadata", {{"tags", {"bench"}}}}};
}

net::HttpRequest request_for(const Plan& plan, std::mt19937_64& rng, std::uint64_t number) {
    net::HttpRequest request;
    request.method = plan.operation == "null" ? "GET" : "POST";
    request.headers.set("Content-Type", "application/json");
    json::Object body;
    if (plan.operation == "null") {
        request.path = "/api/v1/status";
    } else if (plan.operation == "search") {
        request.path = "/api/v1/memory/search";
        std::string query;
        for (int i = 0; i < 4; ++i) query += fmt::format("{} ", kWords[rng() % kWords.size()]);
        body = {{"query", query}, {"identifiers", {{"userId", plan.user}}}};
    } else {
        if (plan.operation == "fill") {
            request.path = "/api/v1/memory/batch";
            json::Array operations;
            for (std::size_t i = 0; i < kBatch; ++i) {
                json::Object operation = add_body(plan, rng, number * kBatch + i);
                operation["op"] = "add";
                operations.push_back(std::move(operation));
            }
            body["operations"] = std::move(operations);
        } else {
            request.path = "/api/v1/memory/add";
            body = add_body(plan, rng, number);
        }
        request.headers.set("Idempotency-Key",
                            system_uuid_source().next(SystemClock().now()).str());
    }
    request.target = request.path;
    if (!body.empty()) request.body = json::write(body);
    return request;
}

task<void> caller(const Plan& plan, Shared& shared, std::uint64_t seed) {
    net::HttpClientOptions options;
    options.idle_connections = 1;
    net::HttpClient client(plan.url, options);
    std::mt19937_64 rng(seed);
    std::vector<double> millis;
    for (;;) {
        const std::uint64_t number = shared.next.fetch_add(1);
        if (number >= plan.count) break;
        auto request = request_for(plan, rng, number + seed * 1'000'000'000ULL);
        const auto start = std::chrono::steady_clock::now();
        const auto answer =
            co_await client.send(std::move(request), Deadline::after(std::chrono::seconds(60)));
        const auto took = std::chrono::steady_clock::now() - start;
        if (!answer || answer->status >= 300) {
            if (shared.failures++ == 0) {
                fmt::print(stderr, "first failure: {}\n",
                           answer ? answer->body.substr(0, 300) : answer.error().message);
            }
            continue;
        }
        millis.push_back(std::chrono::duration<double, std::milli>(took).count());
    }
    const std::scoped_lock lock(shared.mutex);
    shared.millis.insert(shared.millis.end(), millis.begin(), millis.end());
}

double percentile(const std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1,
                           static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

int run(const Plan& plan) {
    Runtime runtime({1, 1});
    Shared shared;
    std::latch done(static_cast<std::ptrdiff_t>(plan.callers));
    std::random_device random;
    const std::uint64_t base = random() % 1'000'000;
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < plan.callers; ++i) {
        asio::co_spawn(runtime.any_loop(), caller(plan, shared, base + i),
                       [&done](std::exception_ptr) { done.count_down(); });
    }
    done.wait();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    runtime.stop();
    std::ranges::sort(shared.millis);
    const auto& millis = shared.millis;
    fmt::print("{}\n",
               json::write(json::Object{{"operation", plan.operation},
                                        {"callers", plan.callers},
                                        {"count", millis.size()},
                                        {"seconds", seconds},
                                        {"perSecond", static_cast<double>(millis.size()) / seconds},
                                        {"p50", percentile(millis, 0.50)},
                                        {"p95", percentile(millis, 0.95)},
                                        {"p99", percentile(millis, 0.99)},
                                        {"max", millis.empty() ? 0 : millis.back()},
                                        {"failures", shared.failures.load()}}));
    return shared.failures == 0 ? 0 : 1;
}

std::uint64_t number_of(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    auto url = arguments.empty() ? aeterna::result<net::Url>(fail(Code::kMalformed, "no URL"))
                                 : net::Url::parse(arguments[0]);
    const bool known =
        arguments.size() >= 4 && (arguments[1] == "add" || arguments[1] == "fill" ||
                                  arguments[1] == "search" || arguments[1] == "null");
    const bool loopback =
        url && (url->host == "localhost" || net::Endpoint{url->host, 0}.loopback());
    if (!known || !loopback || number_of(arguments[2]) == 0 || number_of(arguments[3]) == 0) {
        fmt::print(stderr,
                   "usage: load http://127.0.0.1:PORT add|fill|search|null COUNT CALLERS [USER]\n");
        return 2;
    }
    Plan plan{*url, arguments[1], arguments.size() > 4 ? arguments[4] : "bench",
              number_of(arguments[2]), number_of(arguments[3])};
    if (plan.operation == "fill") plan.count = (plan.count + kBatch - 1) / kBatch;
    return run(plan);
}
