#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::net {

struct Url {
    bool tls = false;
    std::string host;  ///< name or address, without brackets
    std::uint16_t port = 80;
    std::string path;  ///< "" or "/...", without a trailing '/'
    /// http:// and https:// only; no user, query or fragment.
    [[nodiscard]] static result<Url> parse(std::string_view text);
    [[nodiscard]] std::string authority() const;  ///< for the Host header
};

struct HttpClientOptions {
    std::size_t idle_connections = 8;            ///< kept per event loop
    std::chrono::milliseconds idle_age{30'000};  ///< older ones are not used again
    std::size_t response_limit = 64 * 1024 * 1024;
    std::string ca_file{};  ///< PEM; trusted beside the system's store
    std::chrono::milliseconds connect_timeout{2'000};
};

/// HTTP/1.1 client with a keep-alive pool for one origin; use it from any loop. Errors:
/// - kUnavailable: the request surely did not reach the server (no name, connect or TLS failed);
/// - kOutcomeUnknown: it may have (the connection broke after the first byte went out, or the
///   answer could not be read, or the deadline passed after the first byte of a request that is
///   not GET);
/// - kDeadlineExceeded: time ran out and nothing can have changed;
/// - kMalformed: the request cannot be written as HTTP.
/// Every status is an answer, not an error; redirects are not followed. A request is repeated only
/// when a pooled connection turns out closed before anything of the answer came, and then only GET
/// and `repeatable` ones. Destroy it before the Runtime and after its last call has ended.
class HttpClient {
  public:
    explicit HttpClient(Url origin, HttpClientOptions options = {});
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    /// `request.path`/`target` are appended to the origin's path. Host and Content-Length are set
    /// here.
    task<result<HttpResponse>> send(HttpRequest request, Deadline deadline);
    /// Calls `sink` with each piece of the body as it comes, for large answers and SSE; sink false:
    /// stop (no error). Only for status 2xx: other bodies are in the answer, as with `send`. The
    /// deadline is for the whole stream; a stream cut by it is kDeadlineExceeded.
    task<result<HttpResponse>> stream(HttpRequest request,
                                      std::function<bool(std::string_view)> sink,
                                      Deadline deadline);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace aeterna::net
