#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace aeterna::net {

struct RequestLimits {
    std::size_t header = 16 * 1024;  ///< request line and headers, bytes
    std::size_t target = 8 * 1024;
    /// Bytes of body for a route; absent: 1 MiB.
    std::function<std::size_t(std::string_view method, std::string_view path)> body;
};

/// Why a request was refused before any handler saw it.
struct Rejection {
    int status = 400;
    std::string_view error;  ///< machine code of the error body
    std::string_view message;
    std::string_view probe = "malformed";  ///< "malformed", "too_large", "timeout", "full"
    bool retryable = false;
};

struct IncomingRequest {
    HttpRequest request;
    bool http11 = true;
    bool keep_alive = true;
    bool head_only = false;  ///< was HEAD
};

/// The server's half of HTTP/1.1 without sockets: bytes in, requests out, one at a time. Everything
/// that two programs could read in two ways is refused: both Content-Length and
/// Transfer-Encoding, folded headers, bare line feeds, repeated Host. After a rejection it reads
/// nothing any more.
class RequestReader {
  public:
    enum class Step : std::uint8_t {
        kMore,      ///< fill space(), call received()
        kContinue,  ///< the client waits for "100 Continue"; then as kMore
        kRequest,   ///< take() it
        kRejected,  ///< rejection() says why; answer it and close
    };
    enum class Phase : std::uint8_t { kIdle, kHead, kBody };

    explicit RequestReader(const RequestLimits& limits);  ///< the limits must outlive it
    ~RequestReader();
    RequestReader(RequestReader&&) noexcept;
    RequestReader& operator=(RequestReader&&) = delete;

    /// Where the next bytes from the peer go; never empty after kMore.
    [[nodiscard]] std::span<char> space();
    void received(std::size_t count);
    /// Room left for reading ahead while a request is being answered; zero: do not read.
    [[nodiscard]] std::size_t read_ahead_room() const noexcept;

    /// Bytes have come that belong to no request yet taken.
    [[nodiscard]] bool holds_bytes() const noexcept;

    [[nodiscard]] Step next();
    [[nodiscard]] IncomingRequest take();
    [[nodiscard]] const Rejection& rejection() const noexcept;

    /// kIdle: not one byte of the next request has come.
    [[nodiscard]] Phase phase() const noexcept;
    /// Bytes of the present body so far.
    [[nodiscard]] std::size_t body_bytes() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::net
