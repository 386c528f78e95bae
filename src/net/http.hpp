#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "runtime/task.hpp"

namespace aeterna::net {

struct Header {
    std::string name;
    std::string value;
};

/// Names compare without case; order and repeats are kept. `find` gives the first.
class Headers {
  public:
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    void set(std::string_view name, std::string value);  ///< replaces every header of that name
    void add(std::string name, std::string value);
    void erase(std::string_view name);
    [[nodiscard]] std::size_t count(std::string_view name) const;
    [[nodiscard]] const std::vector<Header>& all() const noexcept { return items_; }

  private:
    std::vector<Header> items_;
};

struct Endpoint {
    std::string address;  ///< "127.0.0.1", "::1"
    std::uint16_t port = 0;
    [[nodiscard]] bool loopback() const;    ///< 127.0.0.0/8, ::1, v4-mapped loopback
    [[nodiscard]] std::string str() const;  ///< "127.0.0.1:8080", "[::1]:8080"
    /// "host:port", ":port" (all addresses, as "::"), "[v6]:port"; the host must be an address or
    /// "localhost" (127.0.0.1). The address comes out in its canonical form.
    [[nodiscard]] static result<Endpoint> parse(std::string_view text);
};

struct HttpRequest {
    std::string method;  ///< "GET"; servers see HEAD as GET and answer it without the body
    std::string target;  ///< as sent: "/api/v1/x?y=z"
    std::string path;    ///< the part before '?', not percent-decoded
    std::string query;   ///< the part after '?', not percent-decoded
    Headers headers;
    std::string body;  ///< complete, chunks joined
    Endpoint peer;
    Monotonic arrived{};  ///< when the head was complete
    /// For clients: safe to send twice (it carries an idempotency key, or changes nothing).
    bool repeatable = false;
};

/// Writes the pieces of a streamed answer; waits when the peer reads slowly (back-pressure). Only
/// the source's own coroutine may use it.
class BodyWriter {
  public:
    virtual ~BodyWriter() = default;
    /// kUnavailable when the peer has gone or reads nothing for the write time-out, and for
    /// event streams when the server drains: the source ends then.
    virtual task<result<void>> write(std::string piece) = 0;
};
/// When the peer of an event stream (`text/event-stream`) goes, the source's present wait is
/// cancelled (`sleep_for` gives false) so that a source that has nothing to write ends too. A
/// source that throws cuts the connection: the peer sees an incomplete answer.
using BodySource = std::function<task<void>(BodyWriter&)>;

struct HttpResponse {
    int status = 200;
    Headers headers;
    std::string body;
    BodySource stream;  ///< when set, `body` is ignored and the answer is chunked (SSE sets its
                        ///< content type itself)
};

/// Runs on the connection's loop. What it throws is logged and answered 500. Content-Length,
/// Transfer-Encoding and Date are the server's; `Connection: close` in the answer is honoured.
using HttpHandler = std::function<task<HttpResponse>(HttpRequest)>;

[[nodiscard]] std::string_view reason_phrase(int status) noexcept;
/// Empty optional: a bad escape, a byte that must be escaped, or a result with NUL or bad UTF-8.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Decoded value of a query parameter ('+' is a space). Error kMalformed for bad escapes or a
/// repeated name.
[[nodiscard]] result<std::optional<std::string>> query_parameter(std::string_view query,
                                                                 std::string_view name);

}  // namespace aeterna::net
