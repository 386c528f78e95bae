#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>

#include "api/mcp/stdio_bridge.hpp"
#include "observe/log.hpp"
#include "service/serve.hpp"
#include "service/server.hpp"
#include "service/wait.hpp"
#include "storage/embedded/sqlite_store.hpp"

namespace aeterna::service {

namespace {

/// Finds who serves the data folder, or serves it in this process: several agents share one folder,
/// and when the one that serves ends, the next to notice takes over.
class Host {
  public:
    Host(config::Settings settings, std::string url)
        : settings_(std::move(settings)), url_(std::move(url)) {}

    result<mcp::Post> connect() {
        const std::scoped_lock lock(mutex_);
        if (!url_.empty()) return post_to(url_);
        if (server_) return post_to(server_->url());
        for (int attempt = 0;; ++attempt) {
            if (const auto owner = storage::read_lock_owner(settings_.data.dir);
                owner && !owner->url.empty()) {
                return post_to(owner->url);
            }
            config::Settings own = settings_;
            if (attempt > 0) {
                // The usual ports are another folder's; any will do, the lock file tells where.
                own.server.listen = "127.0.0.1:0";
                own.server.ops_listen = "127.0.0.1:0";
            }
            auto server = std::make_unique<Server>(own);
            if (auto started = server->start(); !started) {
                const bool raced = started.error().code == Code::kConflict;
                const bool port_taken = started.error().code == Code::kUnavailable;
                if ((!raced && !port_taken) || attempt >= 20)
                    return tl::unexpected(std::move(started).error());
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                continue;
            }
            server_ = std::move(server);
            return post_to(server_->url());
        }
    }

    void stop() {
        if (server_) server_->stop();
    }

  private:
    static result<mcp::Post> post_to(const std::string& url) {
        auto parsed = net::Url::parse(url);
        if (!parsed) return tl::unexpected(std::move(parsed).error());
        return mcp::post_over_http(*parsed);
    }

    config::Settings settings_;
    std::string url_;
    std::mutex mutex_;
    std::unique_ptr<Server> server_;
};

}  // namespace

int serve_mcp_stdio(const config::Settings& settings, const McpOptions& options) {
    std::signal(SIGPIPE, SIG_IGN);
    // Standard output belongs to the protocol; a client shows standard error to its user, so only
    // what matters.
    log::configure(log::Level::kWarn, log::Format::kText);
    Runtime runtime({1, 4});
    Host host(settings, options.url);
    mcp::BridgeOptions bridge;
    bridge.token = options.token;
    const auto done = run_and_wait(
        runtime, mcp::run_stdio_bridge(runtime, [&host] { return host.connect(); }, bridge));
    host.stop();
    runtime.stop();
    if (!done) {
        fmt::print(stderr, "error: {}\n", done.error().message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

}  // namespace aeterna::service
