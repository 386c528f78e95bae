#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "net/http_server.hpp"
#include "net/request_reader.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::net {

using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, LoopExecutor>;
using LoopTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

class Connection;

/// The connections of one event loop and their common clock; touched on that loop only. One coarse
/// timer looks at all of them, so that a wait costs an assignment instead of a timer.
struct LoopConnections {
    LoopConnections(asio::io_context& c, std::chrono::milliseconds t)
        : context(c), timer(c), tick(t) {}

    asio::io_context& context;
    LoopTimer timer;
    std::chrono::milliseconds tick;
    bool ticking = false;
    std::vector<Connection*> open;
    std::atomic<std::size_t> assigned{0};  // read by the acceptor

    void add(const std::shared_ptr<ServerCore>& core, Connection& connection);
    void remove(Connection& connection);

  private:
    void arm(std::shared_ptr<ServerCore> core);
};

/// What the acceptor and every connection of one server share.
struct ServerCore : std::enable_shared_from_this<ServerCore> {
    ServerCore(Runtime& r, HttpServerOptions o, HttpHandler h, HttpServerProbe* p);

    Runtime& runtime;
    const HttpServerOptions options;
    const RequestLimits limits;
    const HttpHandler handler;
    HttpServerProbe* const probe;
    std::vector<std::unique_ptr<LoopConnections>> loops;
    asio::basic_socket_acceptor<asio::ip::tcp, LoopExecutor> acceptor;
    std::atomic<std::size_t> open{0};
    std::atomic<std::size_t> body_memory{0};
    std::atomic<bool> draining{false};
    std::atomic<bool> abandoned{false};  // the server object is gone: no handler starts any more

    std::mutex waiter_mutex;
    std::function<void()> when_empty;  // set by drain()

    void closed_one();
    void reject(std::string_view why) const {
        if (probe != nullptr) probe->rejected(why);
    }
};

/// One accepted socket from its first byte to its close; lives on one loop.
class Connection final : public std::enable_shared_from_this<Connection> {
  public:
    Connection(std::shared_ptr<ServerCore> core, LoopConnections& loop, TcpSocket socket);
    ~Connection();

    /// Serves until the end; `full`: answers 503 only.
    static task<void> run(std::shared_ptr<Connection> self, bool full);

    void check_time(Monotonic now);
    void drain();  ///< closes when idle, ends an event stream, else lets the request finish
    void cut();
    std::size_t slot = 0;  // in LoopConnections::open

  private:
    friend class StreamWriter;
    enum class Wait : std::uint8_t { kNone, kIdle, kHead, kBody, kWrite, kLinger };

    task<void> serve();
    task<bool> answer(IncomingRequest incoming);
    task<bool> stream(HttpResponse response, bool http11, bool keep_alive);
    task<void> refuse(Rejection why);
    task<void> linger();
    task<bool> send(std::string_view head, std::string_view body, std::string_view tail);
    void wait_for(Wait what, std::chrono::milliseconds span);
    void wait_for_request();
    [[nodiscard]] bool account_body();
    void release_body();
    void watch_peer();
    void peer_readable();
    void end_stream();

    std::shared_ptr<ServerCore> core_;
    LoopConnections& loop_;
    TcpSocket socket_;
    RequestReader reader_;
    Endpoint peer_;
    std::string out_;
    Wait wait_ = Wait::kNone;
    Monotonic deadline_{};
    Monotonic body_started_{};
    bool timed_out_ = false;
    bool served_one_ = false;
    bool want_linger_ = false;
    bool refused_ = false;
    std::size_t accounted_ = 0;

    bool streaming_events_ = false;
    bool stream_ended_ = false;  // peer gone or drain
    asio::cancellation_signal stop_stream_;
};

}  // namespace aeterna::net
