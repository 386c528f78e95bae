#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/mcp/message.hpp"
#include "base/error.hpp"
#include "net/http.hpp"

/// What the stdio bridge decides about messages, without any I/O.
namespace aeterna::mcp {

/// One line of input, ready to be posted.
struct Outgoing {
    std::string body;
    std::string id;           ///< JSON text; empty: no answer is expected
    std::string method;       ///< empty for a response or an array
    std::string name;         ///< of the tool, prompt or resource
    std::string version;      ///< that the message itself declares; empty: none
    std::string cancelled;    ///< JSON text of the id that a cancellation names
    bool repeatable = false;  ///< may be sent again when its outcome is unknown
};

/// Reads a line, adds an idempotencyKey (`fresh_key`) to a memory write that has none. The error is
/// the line to answer with.
[[nodiscard]] tl::expected<Outgoing, std::string> read_line(std::string_view line,
                                                            std::string_view fresh_key);

/// `negotiated` is the version of the last handshake; empty before it.
[[nodiscard]] net::HttpRequest request_for(const Outgoing& message, std::string_view negotiated,
                                           std::string_view token);

/// What a message from the server is to the request that waits.
struct Reading {
    enum class Kind : std::uint8_t { kAnswer, kOther, kForeign } kind = Kind::kForeign;
    std::string line;  ///< to hand on; empty for what is not of the protocol
};
/// An error without an id becomes the answer to `id`.
[[nodiscard]] Reading read_answer(std::string message, const std::string& id);

/// The protocolVersion in the answer to an initialize; empty when it is not one.
[[nodiscard]] std::string negotiated_version(std::string_view answer);

/// The line for a message that got no answer of the protocol.
[[nodiscard]] std::string failure_line(const std::string& id, const Error& error);
/// The same for an HTTP answer that is not JSON-RPC, such as a 401.
[[nodiscard]] std::string failure_line(const std::string& id, int status, std::string_view body);

/// Takes an answer's body in pieces, JSON or events, and gives the messages in it, each without
/// line breaks.
class AnswerReader {
  public:
    [[nodiscard]] std::vector<std::string> feed(std::string_view piece);
    /// What is left at the end of the body.
    [[nodiscard]] std::vector<std::string> finish();

  private:
    enum class Form : std::uint8_t { kUnknown, kJson, kEvents } form_ = Form::kUnknown;
    void take_line(std::string_view line, std::vector<std::string>& out);

    std::string text_;  ///< the JSON so far, or an unfinished line
    std::string data_;  ///< of the unfinished event
};

}  // namespace aeterna::mcp
