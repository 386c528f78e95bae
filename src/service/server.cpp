#include "service/server.hpp"

#include <atomic>
#include <future>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <fmt/format.h>

#include "api/mcp/http_endpoint.hpp"
#include "api/mcp/memory_tools.hpp"
#include "api/ops/ops_api.hpp"
#include "api/rest/admin_routes.hpp"
#include "api/rest/memory_routes.hpp"
#include "base/version.hpp"
#include "memory/memory_service.hpp"
#include "net/http_metrics.hpp"
#include "net/http_server.hpp"
#include "observe/log.hpp"
#include "service/embedder.hpp"
#include "service/probes.hpp"
#include "service/wait.hpp"
#include "storage/embedded/index_adapter.hpp"
#include "storage/embedded/sqlite_store.hpp"

namespace aeterna::service {

namespace {

constexpr std::chrono::milliseconds kObserveEvery{5'000};
constexpr std::chrono::milliseconds kExpireEvery{15'000};
constexpr std::chrono::milliseconds kPurgeEvery{3'600'000};
constexpr std::chrono::milliseconds kHousekeepingDeadline{30'000};
constexpr std::size_t kHousekeepingRows = 500;
/// Long enough for a hundred million memories; a fill is never worth giving up.
constexpr std::chrono::milliseconds kFillDeadline{24 * 3'600'000};

enum class Phase : std::uint8_t { kStarting, kRunning, kDraining };

}  // namespace

struct Server::Impl {
    explicit Impl(config::Settings given)
        : settings(std::move(given)),
          runtime({settings.server.loops, 0}),
          api_metrics(metrics),
          state_metrics(metrics),
          ops({"memory"}, metrics, [this] { return readiness(); }) {
        add_process_metrics(metrics);
    }

    config::Settings settings;
    SystemClock clock;
    Timestamp started_at = clock.now();
    observe::Metrics metrics;
    Runtime runtime;
    ApiMetrics api_metrics;
    net::HttpServerMetrics api_listener{metrics, "api"};
    net::HttpServerMetrics ops_listener{metrics, "ops"};
    StateMetrics state_metrics;
    ops::OpsApi ops;
    std::atomic<Phase> phase{Phase::kStarting};
    Phase phase_before_stop = Phase::kStarting;

    std::unique_ptr<memory::Embedder> embedder;
    std::unique_ptr<storage::EmbeddedIndex> index;
    std::unique_ptr<storage::SqliteStore> store;
    std::unique_ptr<memory::MemoryService> service;
    std::unique_ptr<rest::Gate> gate;
    std::unique_ptr<rest::RestApi> api;
    std::unique_ptr<mcp::Engine> mcp;
    std::unique_ptr<net::HttpServer> api_server;
    std::unique_ptr<net::HttpServer> ops_server;
    net::Endpoint api_endpoint;
    net::Endpoint ops_endpoint;
    bool index_loaded = false;

    struct Background {
        asio::cancellation_signal cancel;
        asio::io_context* loop = nullptr;
        std::future<void> done;
    };
    std::vector<std::unique_ptr<Background>> background;

    [[nodiscard]] std::filesystem::path snapshot_file() const {
        return settings.data.dir / "index.snapshot";
    }
    task<ops::ReadyReport> readiness();
    result<void> open_ops();
    result<void> open_store();
    result<void> open_api();
    void in_background(std::function<task<void>()> work);
    task<void> fill_index();
    task<void> keep_observing();
    task<void> keep_expiring();
    task<void> keep_purging();
    void stop_background();
};

task<ops::ReadyReport> Server::Impl::readiness() {
    using ops::Readiness;
    const Phase now = phase.load();
    if (now != Phase::kRunning) {
        co_return ops::ReadyReport{
            Readiness::kNotReady,
            {{"store", {{"status", now == Phase::kStarting ? "starting" : "draining"}}}}};
    }
    ops::ReadyReport report{Readiness::kReady, {}};
    const auto deadline = Deadline::after(std::chrono::seconds(2));
    const auto stored = co_await store->status(deadline);
    json::Object store_check{{"status", "ok"}, {"engine", "sqlite"}, {"role", "primary"}};
    const std::optional<Error> trouble = stored ? stored->trouble : std::optional(stored.error());
    if (trouble) {
        report.readiness = Readiness::kDegraded;
        store_check["status"] = trouble->machine_code();
        store_check["message"] = trouble->message;
    }
    report.checks["store"] = std::move(store_check);
    const auto indexed = co_await index->status(deadline);
    json::Object index_check{{"status", "ok"}};
    if (!indexed || indexed->state != memory::IndexStatus::State::kReady) {
        report.readiness = Readiness::kDegraded;
        index_check["status"] = "rebuilding";
        if (indexed) index_check["progress"] = indexed->progress;
    }
    report.checks["vector_store"] = std::move(index_check);
    co_return report;
}

result<void> Server::Impl::open_ops() {
    auto endpoint = net::Endpoint::parse(settings.server.ops_listen);
    if (!endpoint) return tl::unexpected(std::move(endpoint).error());
    net::HttpServerOptions options;
    options.listen = *endpoint;
    ops_server = std::make_unique<net::HttpServer>(
        runtime, options,
        [this](net::HttpRequest request) { return ops.handle(std::move(request)); }, &ops_listener);
    auto bound = ops_server->listen();
    if (!bound) return tl::unexpected(std::move(bound).error());
    ops_endpoint = *bound;
    ops_server->start();
    return {};
}

result<void> Server::Impl::open_store() {
    auto made = make_embedder(settings.embedding, runtime);
    if (!made) return tl::unexpected(std::move(made).error());
    embedder = std::move(*made);
    index = std::make_unique<storage::EmbeddedIndex>(runtime, embedder->identity());
    storage::SqliteStore::Options options;
    options.data_dir = settings.data.dir;
    auto opened = storage::SqliteStore::open(options, runtime, index.get());
    if (!opened) return tl::unexpected(std::move(opened).error());
    store = std::move(*opened);
    index->attach(*store);
    const auto status =
        run_and_wait(runtime, store->status(Deadline::after(std::chrono::seconds(5))));
    index_loaded = status && index->load(snapshot_file(), status->position);
    return {};
}

result<void> Server::Impl::open_api() {
    auto endpoint = net::Endpoint::parse(settings.server.listen);
    if (!endpoint) return tl::unexpected(std::move(endpoint).error());
    const bool loopback = endpoint->loopback();
    const bool open_on_loopback = loopback && settings.auth.required == config::AuthRequired::kAuto;
    if (!open_on_loopback) {
        const auto any =
            run_and_wait(runtime, store->any_key(Deadline::after(std::chrono::seconds(5))));
        if (!any) return tl::unexpected(any.error());
        if (!*any) {
            return fail(
                Code::kRuleViolation, "authentication_needed",
                fmt::format(
                    "{} needs authentication, and there is no API key: make one with `aeterna key "
                    "create "
                    "--subject NAME --role TenantAdmin --data-dir {}`, or listen on 127.0.0.1",
                    settings.server.listen, settings.data.dir.string()));
        }
    }
    gate = std::make_unique<rest::Gate>(
        *store, clock,
        rest::GateOptions{open_on_loopback, settings.http.allowed_hosts,
                          settings.http.allowed_origins});
    memory::Limits limits;
    limits.content_bytes = settings.limits.content_bytes;
    limits.query_bytes = settings.limits.query_bytes;
    limits.identifier_characters = settings.limits.identifier_characters;
    limits.metadata_bytes = settings.limits.metadata_bytes;
    service = std::make_unique<memory::MemoryService>(
        memory::MemoryService::Parts{*store, *index, *embedder, clock, system_uuid_source()},
        limits);
    api = std::make_unique<rest::RestApi>(
        *gate, clock,
        rest::RestOptions{settings.deadlines.read, settings.deadlines.write,
                          settings.limits.json_depth},
        &api_metrics);
    rest::add_memory_routes(*api, *service);
    rest::add_transfer_routes(*api, *service);
    rest::add_status_routes(*api, {{"memory"}, started_at}, *store, *index, *embedder, clock);
    rest::add_index_routes(*api, *index);
    rest::add_key_routes(*api, *store, clock);
    for (const auto& [prefix, name] :
         std::initializer_list<std::pair<std::string_view, std::string_view>>{
             {"/api/v1/knowledge", "Knowledge Service"},
             {"/git", "Knowledge Service"},
             {"/api/v1/governance", "Governance Service"},
             {"/api/v1/govern", "Governance Service"},
             {"/api/v1/sync", "Sync Bridge"},
             {"/api/v1/ws", "Sync Bridge"}}) {
        api->add_not_built(
            std::string(prefix),
            fmt::format("the {} is not built in version {}; see the status table in the README",
                        name, kVersion));
    }
    mcp = mcp::make_memory_engine(*service);
    mcp::add_mcp_routes(*api, *mcp);

    net::HttpServerOptions options;
    options.listen = *endpoint;
    options.body_limit = [limits = settings.limits](std::string_view, std::string_view path) {
        return path.ends_with("/batch") || path.ends_with("/import") ? limits.batch_body_bytes
                                                                     : limits.body_bytes;
    };
    api_server = std::make_unique<net::HttpServer>(
        runtime, options,
        [this](net::HttpRequest request) { return api->handle(std::move(request)); },
        &api_listener);
    auto bound = api_server->listen();
    if (!bound) return tl::unexpected(std::move(bound).error());
    api_endpoint = *bound;
    api_server->start();
    store->announce(fmt::format("http://{}", api_endpoint.str()));
    return {};
}

void Server::Impl::in_background(std::function<task<void>()> work) {
    auto entry = std::make_unique<Background>();
    auto finished = std::make_shared<std::promise<void>>();
    entry->done = finished->get_future();
    entry->loop = &runtime.any_loop();
    // The slot belongs to the loop: emitted there, never across threads.
    asio::co_spawn(
        *entry->loop, work(),
        asio::bind_cancellation_slot(entry->cancel.slot(), [finished](std::exception_ptr error) {
            if (error) log::error("background_work_threw");
            finished->set_value();
        }));
    background.push_back(std::move(entry));
}

void Server::Impl::stop_background() {
    for (auto& entry : background) {
        asio::post(*entry->loop,
                   [&entry] { entry->cancel.emit(asio::cancellation_type::terminal); });
    }
    for (auto& entry : background) entry->done.wait();
    background.clear();
}

task<void> Server::Impl::fill_index() {
    const auto filled = co_await index->fill(Deadline::after(kFillDeadline));
    if (!filled) log::error("index_fill_failed", {{"error", filled.error().message}});
}

task<void> Server::Impl::keep_observing() {
    co_await asio::this_coro::throw_if_cancelled(false);
    do {
        const auto deadline = Deadline::after(std::chrono::seconds(2));
        if (const auto stored = co_await store->status(deadline)) state_metrics.show(*stored);
        if (const auto indexed = co_await index->status(deadline)) state_metrics.show(*indexed);
    } while (co_await sleep_for(kObserveEvery));
}

task<void> Server::Impl::keep_expiring() {
    co_await asio::this_coro::throw_if_cancelled(false);
    do {
        for (;;) {
            const auto done = co_await store->expire(clock.now(), kHousekeepingRows,
                                                     Deadline::after(kHousekeepingDeadline));
            if (!done) {
                log::limited(log::Level::kWarn, "expire", "expire_failed",
                             {{"error", done.error().message}});
                break;
            }
            state_metrics.housekept(*done, 0);
            if (*done < kHousekeepingRows || phase == Phase::kDraining) break;
        }
    } while (co_await sleep_for(kExpireEvery));
}

task<void> Server::Impl::keep_purging() {
    co_await asio::this_coro::throw_if_cancelled(false);
    do {
        for (;;) {
            const Timestamp now = clock.now();
            const auto done = co_await store->purge(
                now - settings.memory.purge_after, now - settings.idempotency.keep,
                kHousekeepingRows, Deadline::after(kHousekeepingDeadline));
            if (!done) {
                log::limited(log::Level::kWarn, "purge", "purge_failed",
                             {{"error", done.error().message}});
                break;
            }
            state_metrics.housekept(0, *done);
            if (*done < kHousekeepingRows || phase == Phase::kDraining) break;
        }
    } while (co_await sleep_for(kPurgeEvery));
}

Server::Server(config::Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}

Server::~Server() {
    stop();
}

result<void> Server::start() {
    AETERNA_TRY(impl_->open_ops());
    AETERNA_TRY(impl_->open_store());
    AETERNA_TRY(impl_->open_api());
    // From here on the index answers, saying that it may be incomplete until it is filled.
    if (!impl_->index_loaded) impl_->in_background([this] { return impl_->fill_index(); });
    impl_->in_background([this] { return impl_->keep_observing(); });
    impl_->in_background([this] { return impl_->keep_expiring(); });
    impl_->in_background([this] { return impl_->keep_purging(); });
    impl_->phase = Phase::kRunning;
    log::info("serving", {{"url", url()},
                          {"operations", ops_url()},
                          {"data", impl_->settings.data.dir.string()},
                          {"embedder", impl_->embedder->identity().name},
                          {"version", kVersion}});
    return {};
}

void Server::stop() {
    if (!impl_) return;
    impl_->phase_before_stop = impl_->phase.exchange(Phase::kDraining);
    const auto deadline = Deadline::after(impl_->settings.server.drain_timeout);
    if (impl_->api_server) run_and_wait(impl_->runtime, impl_->api_server->drain(deadline));
    impl_->stop_background();
    if (impl_->ops_server) {
        run_and_wait(impl_->runtime,
                     impl_->ops_server->drain(Deadline::after(std::chrono::seconds(1))));
    }
    if (impl_->store) impl_->store->close();
    if (impl_->phase_before_stop == Phase::kRunning) {
        const auto saved = impl_->index->save(impl_->snapshot_file());
        if (!saved) log::warn("index_not_saved", {{"why", saved.error().message}});
    }
    impl_->runtime.stop();
    impl_.reset();
}

std::string Server::url() const {
    return fmt::format("http://{}", impl_->api_endpoint.str());
}
std::string Server::ops_url() const {
    return fmt::format("http://{}", impl_->ops_endpoint.str());
}
Runtime& Server::runtime() noexcept {
    return impl_->runtime;
}

}  // namespace aeterna::service
