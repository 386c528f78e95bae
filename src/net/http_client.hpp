#pragma once
#include <memory>
#include <string>

#include "base/result.hpp"
#include "net/http.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::net {

struct Url {
    bool tls = false;
    std::string host;  ///< name or address, without brackets
    std::uint16_t port = 80;
    std::string path;  ///< "" or "/...", without a trailing '/'
    /// http:// and https:// only.
    [[nodiscard]] static result<Url> parse(std::string_view text);
    [[nodiscard]] std::string authority() const;  ///< for the Host header
};

struct HttpClientOptions {
    std::size_t idle_connections = 8;
    std::size_t response_limit = 64 * 1024 * 1024;
    std::chrono::milliseconds connect_timeout{2'000};
};

/// HTTP/1.1 client with a keep-alive pool for one origin. Errors: kUnavailable when the request
/// surely did not reach the server (connect failed), kOutcomeUnknown when it may have (the
/// connection broke after the first byte went out), kDeadlineExceeded. It never repeats a request
/// by itself, except on a pooled connection that was already closed when nothing of the answer had
/// come and the method is GET or the caller allows it.
class HttpClient {
  public:
    HttpClient(Url origin, HttpClientOptions options);
    ~HttpClient();
    /// `request.path`/`target` are appended to the origin's path. Host and Content-Length are set
    /// here.
    task<result<HttpResponse>> send(HttpRequest request, Deadline deadline);
    /// Calls `sink` with each piece of the body as it comes, for large answers and SSE; sink false:
    /// stop.
    task<result<HttpResponse>> stream(HttpRequest request,
                                      std::function<bool(std::string_view)> sink,
                                      Deadline deadline);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace aeterna::net
