#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/mcp/message.hpp"
#include "base/clock.hpp"
#include "runtime/task.hpp"
#include "security/principal.hpp"

/// The Model Context Protocol as an engine without I/O: messages in, answers out. It speaks the
/// revisions with a handshake (2025-03-26 to 2025-11-25) and the stateless one (2026-07-28) on one
/// endpoint, and keeps nothing between two messages.
namespace aeterna::mcp {

inline constexpr std::string_view kStateless = "2026-07-28";
inline constexpr std::string_view kLatestHandshake = "2025-11-25";
inline constexpr std::string_view kOldest = "2025-03-26";
/// Newest first.
[[nodiscard]] const std::vector<std::string_view>& supported_versions();

/// Where messages that belong to a running request go, before its answer.
class Outlet {
  public:
    virtual ~Outlet() = default;
    /// False: nobody reads any more.
    virtual task<bool> send(json::Object message) = 0;
};

/// Everything a handler may know about the request that it answers.
struct Call {
    security::Principal caller;
    Deadline deadline;
    std::string request_id;  ///< of the transport, for error bodies
    std::string_view protocol = kLatestHandshake;
    json::Object params;               ///< whole, _meta included
    json::Object client_capabilities;  ///< only the stateless revision repeats them
    Outlet* outlet = nullptr;          ///< null: the caller takes only the answer

    [[nodiscard]] bool stateless() const noexcept { return protocol == kStateless; }
    /// Tells how far a call is, when the caller asked for it.
    task<void> progress(double done, double total, std::string text) const;
    /// `level` as in RFC 5424 ("info"); left out when the caller did not ask for it.
    task<void> log(std::string level, json::Value data) const;
};

using Handler = std::function<task<Outcome>(json::Object arguments, Call call)>;

struct Tool {
    std::string name, title, description;
    json::Object input_schema;
    json::Object output_schema;  ///< empty: none
    json::Object annotations;    ///< readOnlyHint, destructiveHint, idempotentHint, openWorldHint
    Handler handler;
    bool streams = false;                ///< sends through the outlet
    json::Object required_capabilities;  ///< of the client, {"sampling":{}}
};

enum class Era : std::uint8_t { kBoth, kHandshake, kStatelessOnly };

/// A further method, for surfaces with more than tools. Its arguments are the params.
struct Method {
    std::string name;
    Era era = Era::kBoth;
    bool cacheable = false;  ///< the stateless revision wants ttlMs and cacheScope on its answer
    Handler handler;
};

struct ServerInfo {
    std::string name, title, version;
    std::string instructions;  ///< for the model that uses the tools
};

struct EngineOptions {
    ServerInfo server;
    /// Beyond tools, which are announced when there are any: {"prompts":{}}.
    json::Object capabilities;
    std::int64_t list_ttl_ms = 3'600'000;
    /// How deep params.arguments may nest; the envelope comes on top.
    std::size_t argument_depth = 32;
};

/// The request headers that the stateless revision mirrors; absent over stdio.
struct MirroredHeaders {
    std::optional<std::string> version;  ///< MCP-Protocol-Version
    std::optional<std::string> method;   ///< Mcp-Method
    std::optional<std::string> name;     ///< Mcp-Name, as sent
};

/// What goes back for one message.
struct Answer {
    int http_status = 200;
    std::optional<json::Object> body;  ///< absent: nothing (202)
};

/// A request that is in order and only waits to be run.
struct Request {
    Message message;
    std::string_view protocol;
    json::Object client_capabilities;
    const Tool* tool = nullptr;  ///< that is called, if one is
    bool streams = false;
};

class Engine {
  public:
    explicit Engine(EngineOptions options) : options_(std::move(options)) {}

    /// Names are unique; the list keeps the order.
    void add(Tool tool) { tools_.push_back(std::move(tool)); }
    void add(Method method) { methods_.push_back(std::move(method)); }
    /// Hears the client's answers to requests that a handler sent through its outlet.
    void on_response(std::function<void(const json::Object&)> sink) {
        responses_ = std::move(sink);
    }

    /// One JSON text, or what is wrong with it.
    [[nodiscard]] tl::expected<json::Value, Answer> parse(std::string_view text) const;
    /// Everything that can be decided without running anything: an answer, or a request to run.
    [[nodiscard]] std::variant<Answer, Request> prepare(const json::Value& value,
                                                        const MirroredHeaders* headers) const;
    /// Runs a prepared request. Never throws; an exception of a handler is -32603.
    [[nodiscard]] task<Answer> run(Request request, security::Principal caller, Deadline deadline,
                                   std::string request_id, Outlet* outlet) const;

    [[nodiscard]] const std::vector<Tool>& tools() const noexcept { return tools_; }

  private:
    [[nodiscard]] std::optional<RpcError> settle_version(Request& request,
                                                         const MirroredHeaders* headers) const;
    [[nodiscard]] std::optional<RpcError> check_call(Request& request) const;
    [[nodiscard]] bool knows(std::string_view method, std::string_view protocol) const;
    [[nodiscard]] const Tool* tool_named(std::string_view name) const;
    [[nodiscard]] const Method* method_named(std::string_view name,
                                             std::string_view protocol) const;
    [[nodiscard]] task<Outcome> dispatch(Request& request, Call call) const;
    [[nodiscard]] Outcome initialize(const json::Object& params) const;
    [[nodiscard]] Outcome discover() const;
    [[nodiscard]] Outcome list_tools(const Request& request) const;
    [[nodiscard]] json::Object capabilities() const;
    [[nodiscard]] json::Object server_json() const;
    void dress(json::Object& result, bool cacheable) const;

    EngineOptions options_;
    std::vector<Tool> tools_;
    std::vector<Method> methods_;
    std::function<void(const json::Object&)> responses_;
};

/// {"content":[{"type":"text","text":...}]}
[[nodiscard]] json::Object text_result(std::string text);
/// Mirrored header value: "=?base64?...?=" decoded; empty optional when it does not decode.
[[nodiscard]] std::optional<std::string> decode_mirrored(std::string_view value);
[[nodiscard]] std::string encode_mirrored(std::string_view value);

}  // namespace aeterna::mcp
