#pragma once
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "json/codec.hpp"

/// JSON-RPC 2.0 as the Model Context Protocol uses it: values, no I/O.
namespace aeterna::mcp {

inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingClientCapability = -32021;
inline constexpr int kUnsupportedVersion = -32022;

/// An error of the protocol, as opposed to a tool that did not succeed.
struct RpcError {
    int code = kInternalError;
    std::string message;
    json::Value data;       ///< null: none
    int http_status = 200;  ///< for the HTTP transport
};

/// The result object of a request.
using Outcome = tl::expected<json::Object, RpcError>;

[[nodiscard]] inline tl::unexpected<RpcError> refuse(int code, std::string message,
                                                     int http_status = 200) {
    return tl::unexpected(RpcError{code, std::move(message), nullptr, http_status});
}

enum class MessageKind : std::uint8_t { kRequest, kNotification, kResponse };

/// One message whose envelope is in order.
struct Message {
    MessageKind kind = MessageKind::kRequest;
    json::Value id;  ///< string or integer; null for a notification
    std::string method;
    json::Object params;   ///< empty when absent
    json::Object payload;  ///< a response as it came
};

/// What could not be read, with the id it would have had where that is known.
struct BadMessage {
    RpcError error;
    json::Value id;
};

/// Checks the envelope: jsonrpc, a method or an answer, an id that is a string of at most
/// kLongestId bytes or an integer, params an object.
inline constexpr std::size_t kLongestId = 512;
inline constexpr std::size_t kLongestMethod = 128;
[[nodiscard]] tl::expected<Message, BadMessage> read_message(const json::Value& value);

[[nodiscard]] json::Object result_message(const json::Value& id, json::Object result);
/// `id` null: left out, as for a message that could not be read.
[[nodiscard]] json::Object error_message(const json::Value& id, const RpcError& error);
[[nodiscard]] json::Object notification(std::string_view method, json::Object params);

/// The member as an object; null when absent or of another type.
[[nodiscard]] const json::Object* object_member(const json::Object& object, std::string_view name);
/// The member as text; empty optional when absent or of another type.
[[nodiscard]] std::optional<std::string_view> text_member(const json::Object& object,
                                                          std::string_view name);

}  // namespace aeterna::mcp
