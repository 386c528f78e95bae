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

/// Names compare without case; order and repeats are kept.
class Headers {
  public:
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    void set(std::string_view name, std::string value);  ///< replaces every header of that name
    void add(std::string name, std::string value);
    [[nodiscard]] const std::vector<Header>& all() const noexcept { return items_; }

  private:
    std::vector<Header> items_;
};

struct Endpoint {
    std::string address;  ///< "127.0.0.1", "::1"
    std::uint16_t port = 0;
    [[nodiscard]] bool loopback() const;    ///< 127.0.0.0/8, ::1, v4-mapped loopback
    [[nodiscard]] std::string str() const;  ///< "127.0.0.1:8080", "[::1]:8080"
    /// "host:port", ":port" (all addresses), "[v6]:port"; the host must be an address or
    /// "localhost".
    [[nodiscard]] static result<Endpoint> parse(std::string_view text);
};

struct HttpRequest {
    std::string method;  ///< "GET"
    std::string target;  ///< as sent: "/api/v1/x?y=z"
    std::string path;    ///< the part before '?', not percent-decoded
    std::string query;   ///< the part after '?', not percent-decoded
    Headers headers;
    std::string body;  ///< complete, chunks joined
    Endpoint peer;
    Monotonic arrived{};
};

/// Writes the pieces of a streamed answer; waits when the peer reads slowly (back-pressure).
class BodyWriter {
  public:
    virtual ~BodyWriter() = default;
    /// kUnavailable when the peer has gone or the deadline of the connection passed.
    virtual task<result<void>> write(std::string piece) = 0;
};
using BodySource = std::function<task<void>(BodyWriter&)>;

struct HttpResponse {
    int status = 200;
    Headers headers;
    std::string body;
    BodySource stream;  ///< when set, `body` is ignored and the answer is chunked (SSE sets its
                        ///< content type itself)
};

/// Never throws; runs on the connection's loop.
using HttpHandler = std::function<task<HttpResponse>(HttpRequest)>;

[[nodiscard]] std::string_view reason_phrase(int status) noexcept;
/// Empty optional: a bad escape, or a byte that must not be there.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);
/// Decoded value of a query parameter. Error kMalformed for bad escapes or a repeated name.
[[nodiscard]] result<std::optional<std::string>> query_parameter(std::string_view query,
                                                                 std::string_view name);

}  // namespace aeterna::net
