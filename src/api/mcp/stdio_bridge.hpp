#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "json/codec.hpp"
#include "net/http.hpp"
#include "net/http_client.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::mcp {

/// Sends one POST and hands the pieces of its body to `sink` as they come; sink false: enough. The
/// body of a refusal (not 2xx) may come in the answer instead.
using Post = std::function<task<result<net::HttpResponse>>(
    net::HttpRequest request, std::function<bool(std::string_view)> sink, Deadline deadline)>;

/// Finds the server (again): blocks, and is called at the start and whenever a connection broke.
using Connect = std::function<result<Post>()>;

struct BridgeOptions {
    int in = 0;  ///< file descriptors; only messages go to `out`
    int out = 1;
    std::string token;  ///< Bearer token for the server; empty: none
    std::size_t concurrent = 16;
    std::size_t longest_line = 1024 * 1024;
    std::chrono::milliseconds deadline{60'000};  ///< of one message, repeats included
};

/// MCP over stdio in front of a server: every line read is one message, posted as it is to /mcp;
/// every message that comes back is one line. Up to `concurrent` messages are under way at once.
/// Tool calls that write get an idempotencyKey when they have none, so that after a broken
/// connection everything but foreign tool calls can be sent again. Returns at the end of the input,
/// after the last answer; an error when no server can be found at the start or `out` is closed.
[[nodiscard]] task<result<void>> run_stdio_bridge(Runtime& runtime, Connect connect,
                                                  BridgeOptions options);

/// A Post to `<url>/mcp` over a pool of connections.
[[nodiscard]] Post post_over_http(const net::Url& url);

}  // namespace aeterna::mcp
