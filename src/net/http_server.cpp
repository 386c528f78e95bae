#include "net/http_server.hpp"

#include <algorithm>
#include <cerrno>

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include "net/connection.hpp"
#include "net/port_owner.hpp"
#include "observe/log.hpp"

namespace aeterna::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t kRefusals = 64;  // connections beyond the limit that are told so at a time

/// A quarter of the shortest time-out: fine enough for it, and seldom.
std::chrono::milliseconds tick_of(const HttpServerOptions& options) {
    const auto shortest = std::min({options.header_timeout, options.body_timeout,
                                    options.write_timeout, options.idle_timeout});
    return std::clamp<std::chrono::milliseconds>(shortest / 4, 5ms, 500ms);
}

Error cannot_listen(const Endpoint& wanted, const error_code& error) {
    std::string text = fmt::format("Cannot listen on {}: {}.", wanted.str(), error.message());
    if (error == asio::error::address_in_use) {
        const std::string owner = port_owner(wanted);
        text = fmt::format("{} is taken{}. Stop that process or choose another address.",
                           wanted.str(), owner.empty() ? " by another process" : " by " + owner);
        return Error(Code::kUnavailable, "address_in_use", std::move(text));
    }
    if (error == asio::error::access_denied) {
        text += " Ports below 1024 need privileges: choose a higher one.";
    } else if (error.value() == EADDRNOTAVAIL) {
        text += " No interface of this machine has that address.";
    }
    return Error(Code::kUnavailable, "cannot_listen", std::move(text));
}

task<void> accept_all(std::shared_ptr<ServerCore> core) {
    while (!core->draining) {
        LoopConnections& loop = **std::min_element(
            core->loops.begin(), core->loops.end(),
            [](const auto& a, const auto& b) { return a->assigned < b->assigned; });
        TcpSocket socket(loop.context);
        error_code error;
        co_await core->acceptor.async_accept(socket, asio::redirect_error(kAwait, error));
        if (error == asio::error::operation_aborted || core->draining) co_return;
        if (error == asio::error::connection_aborted) continue;
        if (error) {
            // Out of descriptors or memory: the connection waits in the kernel's queue.
            log::limited(log::Level::kWarn, "accept_failed", "accept_failed",
                         {{"error", error.message()}, {"open", core->open.load()}});
            co_await sleep_for(50ms);
            continue;
        }
        const std::size_t before = core->open.fetch_add(1);
        if (before >= core->options.max_connections + kRefusals) {
            core->reject("full");
            core->closed_one();
            continue;
        }
        const bool full = before >= core->options.max_connections;
        socket.set_option(tcp::no_delay(true), error);
        socket.non_blocking(true, error);
        loop.assigned.fetch_add(1, std::memory_order_relaxed);
        asio::post(loop.context, [core, &loop, full, moved = std::move(socket)]() mutable {
            asio::co_spawn(
                loop.context,
                Connection::run(std::make_shared<Connection>(core, loop, std::move(moved)), full),
                asio::detached);
        });
    }
}

/// Runs `act` for each connection on its own loop.
void for_each_connection(const std::shared_ptr<ServerCore>& core, void (Connection::*act)()) {
    for (auto& loop : core->loops) {
        asio::post(loop->context, [core, act, &connections = loop->open] {
            for (Connection* connection : connections) (connection->*act)();
        });
    }
}

void stop_accepting(const std::shared_ptr<ServerCore>& core) {
    core->draining = true;
    asio::post(core->acceptor.get_executor(), [core] {
        error_code ignored;
        core->acceptor.close(ignored);
    });
}

/// True when no connection is left before the deadline.
task<bool> wait_until_empty(std::shared_ptr<ServerCore> core, Deadline deadline) {
    const LoopExecutor executor = co_await asio::this_coro::executor;
    auto timer = std::make_shared<LoopTimer>(executor, deadline.moment());
    {
        const std::lock_guard lock(core->waiter_mutex);
        core->when_empty = [executor, timer] {
            asio::post(executor, [timer] { timer->cancel(); });
        };
    }
    if (core->open != 0) {
        error_code ignored;
        co_await timer->async_wait(asio::redirect_error(kAwait, ignored));
    }
    const std::lock_guard lock(core->waiter_mutex);
    core->when_empty = nullptr;
    co_return core->open == 0;
}

}  // namespace

ServerCore::ServerCore(Runtime& r, HttpServerOptions o, HttpHandler h, HttpServerProbe* p)
    : runtime(r),
      options(std::move(o)),
      limits{options.header_limit, options.target_limit, options.body_limit},
      handler(std::move(h)),
      probe(p),
      acceptor(r.loop(0)) {
    for (std::size_t i = 0; i < r.loops(); ++i) {
        loops.push_back(std::make_unique<LoopConnections>(r.loop(i), tick_of(options)));
    }
}

void ServerCore::closed_one() {
    if (open.fetch_sub(1) != 1 || !draining) return;
    const std::lock_guard lock(waiter_mutex);
    if (when_empty) when_empty();
}

HttpServer::HttpServer(Runtime& runtime, HttpServerOptions options, HttpHandler handler,
                       HttpServerProbe* probe)
    : core_(std::make_shared<ServerCore>(runtime, std::move(options), std::move(handler), probe)) {}

HttpServer::~HttpServer() {
    core_->abandoned = true;
    stop_accepting(core_);
    for_each_connection(core_, &Connection::cut);
}

result<Endpoint> HttpServer::listen() {
    const Endpoint& wanted = core_->options.listen;
    auto& acceptor = core_->acceptor;
    error_code error;
    auto address = asio::ip::make_address(wanted.address, error);
    if (error) return fail(cannot_listen(wanted, error));
    acceptor.open(address.is_v6() ? tcp::v6() : tcp::v4(), error);
    if (error && address.is_v6() && address.is_unspecified()) {
        address = asio::ip::address_v4::any();  // a machine without IPv6
        acceptor.open(tcp::v4(), error);
    }
    // All addresses means both families, whatever this machine's default.
    if (!error && address.is_v6() && address.is_unspecified()) {
        acceptor.set_option(asio::ip::v6_only(false), error);
    }
    // Lets a restart bind while old connections wait out; two listeners still exclude each other.
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(tcp::endpoint(address, wanted.port), error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        error_code ignored;
        acceptor.close(ignored);
        return fail(cannot_listen(wanted, error));
    }
    return Endpoint{address.to_string(), acceptor.local_endpoint(error).port()};
}

void HttpServer::start() {
    asio::co_spawn(core_->acceptor.get_executor(), accept_all(core_), asio::detached);
}

task<void> HttpServer::drain(Deadline deadline) {
    const auto core = core_;
    stop_accepting(core);
    for_each_connection(core, &Connection::drain);
    if (co_await wait_until_empty(core, deadline)) co_return;
    log::warn("drain_cut", {{"connections", core->open.load()}});
    for_each_connection(core, &Connection::cut);
    co_await wait_until_empty(core, Deadline::after(200ms));
}

std::size_t HttpServer::connections() const {
    return core_->open;
}

}  // namespace aeterna::net
