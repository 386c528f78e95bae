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
    Endpoint listen;  ///< port 0: any free one
    std::size_t header_limit = 16 * 1024;
    std::function<std::size_t(std::string_view method, std::string_view path)>
        body_limit;                                    ///< absent: 1 MiB
    std::chrono::milliseconds header_timeout{10'000};  ///< first byte to end of the headers
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds write_timeout{30'000};  ///< without progress
    std::chrono::milliseconds idle_timeout{75'000};   ///< keep-alive
    std::size_t max_connections = 4096;               ///< more are answered 503 and closed
    std::size_t max_pipelined = 16;
};

/// What the server counts; implemented by observe's probe.
class HttpServerProbe {
  public:
    virtual ~HttpServerProbe() = default;
    virtual void connection_opened() = 0;
    virtual void connection_closed() = 0;
    virtual void rejected(
        std::string_view why) = 0;  ///< "malformed", "too_large", "timeout", "full"
};

/// HTTP/1.1 over Asio, Beast's parser fed by hand: keep-alive, pipelining, chunked both ways,
/// limits, time-outs, streamed answers, drain. Rejections before the handler carry the error body
/// of the contract.
class HttpServer {
  public:
    HttpServer(Runtime& runtime, HttpServerOptions options, HttpHandler handler,
               HttpServerProbe* probe = nullptr);
    ~HttpServer();

    /// Binds and listens; kUnavailable names the address and, where it can be known, the owner of a
    /// taken port.
    [[nodiscard]] result<Endpoint> listen();
    /// Starts to accept. Needs a successful listen().
    void start();
    /// Accepts nothing new, closes idle connections, waits for running requests until the deadline,
    /// then cuts.
    task<void> drain(Deadline deadline);
    [[nodiscard]] std::size_t connections() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace aeterna::net
