#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::net {

struct HttpServerOptions {
    Endpoint listen{};  ///< port 0: any free one
    std::size_t header_limit = 16 * 1024;
    std::size_t target_limit = 8 * 1024;
    std::function<std::size_t(std::string_view method, std::string_view path)>
        body_limit{};                                  ///< absent: 1 MiB
    std::chrono::milliseconds header_timeout{10'000};  ///< first byte to end of the headers
    std::chrono::milliseconds body_timeout{30'000};    ///< plus a second for each 64 KiB that came
    std::chrono::milliseconds write_timeout{30'000};   ///< without progress
    std::chrono::milliseconds idle_timeout{75'000};    ///< keep-alive
    std::size_t max_connections = 4096;                ///< more are answered 503 and closed
    std::size_t body_memory = 256 * 1024 * 1024;       ///< bodies of all connections together
};

/// What the server counts; called from any loop. HttpServerMetrics is the usual one.
class HttpServerProbe {
  public:
    virtual ~HttpServerProbe() = default;
    virtual void connection_opened() = 0;
    virtual void connection_closed() = 0;
    virtual void rejected(
        std::string_view why) = 0;  ///< "malformed", "too_large", "timeout", "full"
};

struct ServerCore;

/// HTTP/1.1 over Asio, Beast's parser fed by hand: keep-alive, pipelining (answered in order, one
/// at a time, at most one buffer read ahead), chunked both ways, limits, time-outs, streamed
/// answers, drain. Rejections before the handler carry the error body of the contract and close.
/// One acceptor spreads connections over the runtime's loops; each connection stays on its loop.
/// Destroy it after drain() or after Runtime::stop(): a handler that still runs is not waited for.
class HttpServer {
  public:
    HttpServer(Runtime& runtime, HttpServerOptions options, HttpHandler handler,
               HttpServerProbe* probe = nullptr);
    ~HttpServer();

    /// Binds and listens; kUnavailable names the address and, where it can be known, the owner of a
    /// taken port.
    /// The endpoint is the bound one.
    [[nodiscard]] result<Endpoint> listen();
    /// Starts to accept. Needs a successful listen().
    void start();
    /// Accepts nothing new, closes idle connections, ends event streams, waits for running requests
    /// until the deadline, then cuts. May be awaited on any loop, once.
    task<void> drain(Deadline deadline);
    [[nodiscard]] std::size_t connections() const;

  private:
    std::shared_ptr<ServerCore> core_;
};

}  // namespace aeterna::net
