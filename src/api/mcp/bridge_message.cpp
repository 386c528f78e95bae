#include "api/mcp/bridge_message.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "api/mcp/protocol.hpp"

namespace aeterna::mcp {

namespace {

constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
/// Deeper than the server takes, so that the server is the one who judges.
constexpr std::size_t kDepth = 64;
constexpr std::array<std::string_view, 5> kWrites{"memory_add", "memory_update", "memory_delete",
                                                  "memory_feedback", "memory_promote"};
constexpr std::array<std::string_view, 2> kReads{"memory_search", "memory_get"};

bool one_of(const auto& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

/// Whether the call may be repeated; gives a memory write its key.
bool make_repeatable(json::Object& message, std::string_view fresh_key) {
    json::Value* params = message.if_contains("params");
    if (params == nullptr || !params->is_object()) return true;  // the server refuses it
    json::Object& given = params->get_object();
    const auto tool = text_member(given, "name");
    if (!tool || one_of(kReads, *tool)) return true;
    const bool writes = one_of(kWrites, *tool);
    if (writes && !given.contains("arguments")) given["arguments"] = json::Object{};
    json::Value* arguments = given.if_contains("arguments");
    if (arguments == nullptr || !arguments->is_object()) return false;
    json::Object& object = arguments->get_object();
    if (writes && !object.contains("idempotencyKey")) object["idempotencyKey"] = fresh_key;
    return object.contains("idempotencyKey");
}

std::string id_text(const json::Value& id) {
    return id.is_null() ? std::string() : json::write(id);
}

/// The id may be any JSON text, so the message is put together around it.
std::string error_line(const std::string& id, int code, std::string_view message,
                       const json::Value& data) {
    const std::string error = json::write(
        *error_message(nullptr, {code, std::string(message), data, 0}).if_contains("error"));
    return id.empty() ? fmt::format(R"({{"jsonrpc":"2.0","error":{}}})", error)
                      : fmt::format(R"({{"jsonrpc":"2.0","id":{},"error":{}}})", id, error);
}

}  // namespace

tl::expected<Outgoing, std::string> read_line(std::string_view line, std::string_view fresh_key) {
    auto value = json::parse(line, {kDepth});
    if (!value) return tl::unexpected(error_line("", kParseError, value.error().message, nullptr));
    Outgoing out;
    if (value->is_array()) {  // the server knows whether the revision has batches
        out.body = std::string(line);
        return out;
    }
    auto read = read_message(*value);
    if (!read) {
        return tl::unexpected(error_line(id_text(read.error().id), read.error().error.code,
                                         read.error().error.message, nullptr));
    }
    out.method = read->method;
    if (read->kind == MessageKind::kRequest) out.id = json::write(read->id);
    for (const std::string_view member : {"name", "uri"}) {
        if (const auto name = text_member(read->params, member)) out.name = *name;
    }
    if (const json::Object* meta = object_member(read->params, "_meta"))
        out.version = text_member(*meta, kMetaVersion).value_or("");
    if (out.method == "notifications/cancelled") {
        if (const json::Value* id = read->params.if_contains("requestId"))
            out.cancelled = json::write(*id);
    }
    out.repeatable = !out.id.empty();
    if (out.method == "tools/call")
        out.repeatable = make_repeatable(value->get_object(), fresh_key);
    out.body = json::write(*value);
    return out;
}

net::HttpRequest request_for(const Outgoing& message, std::string_view negotiated,
                             std::string_view token) {
    net::HttpRequest request;
    request.method = "POST";
    request.path = request.target = "/mcp";
    request.body = message.body;
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Accept", "application/json, text/event-stream");
    if (!token.empty()) request.headers.set("Authorization", fmt::format("Bearer {}", token));
    if (message.version.empty()) {
        if (!negotiated.empty() && message.method != "initialize")
            request.headers.set("MCP-Protocol-Version", std::string(negotiated));
        return request;
    }
    request.headers.set("MCP-Protocol-Version", encode_mirrored(message.version));
    request.headers.set("Mcp-Method", encode_mirrored(message.method));
    if (!message.name.empty()) request.headers.set("Mcp-Name", encode_mirrored(message.name));
    return request;
}

std::string negotiated_version(std::string_view answer) {
    const auto value = json::parse_object(answer, {kDepth});
    if (!value) return {};
    const json::Object* result = object_member(*value, "result");
    if (result == nullptr) return {};
    return std::string(text_member(*result, "protocolVersion").value_or(""));
}

std::string failure_line(const std::string& id, const Error& error) {
    return error_line(id, kInternalError, error.message,
                      json::Object{{"error", error.machine_code()},
                                   {"message", error.message},
                                   {"retryable", error.retryable()}});
}

std::string failure_line(const std::string& id, int status, std::string_view body) {
    const auto value = json::parse_object(body, {kDepth});
    const auto said = value ? text_member(*value, "message") : std::nullopt;
    const std::string message =
        said ? std::string(*said) : fmt::format("the server answered with HTTP status {}", status);
    return error_line(id, kInternalError, message, value ? json::Value(*value) : json::Value());
}

std::vector<std::string> AnswerReader::feed(std::string_view piece) {
    std::vector<std::string> out;
    if (form_ == Form::kUnknown) {
        const std::size_t start = piece.find_first_not_of(" \t\r\n");
        if (start == std::string_view::npos) return out;
        piece.remove_prefix(start);
        form_ = piece.front() == '{' || piece.front() == '[' ? Form::kJson : Form::kEvents;
    }
    text_ += piece;
    if (form_ == Form::kJson) return out;
    std::size_t begin = 0;
    for (std::size_t end = text_.find('\n'); end != std::string::npos;
         end = text_.find('\n', begin)) {
        std::string_view line = std::string_view(text_).substr(begin, end - begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        take_line(line, out);
        begin = end + 1;
    }
    text_.erase(0, begin);
    return out;
}

void AnswerReader::take_line(std::string_view line, std::vector<std::string>& out) {
    if (line.empty()) {
        if (!data_.empty()) out.push_back(std::exchange(data_, {}));
        return;
    }
    if (!line.starts_with("data:")) return;
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    // A message in several data lines is one JSON text: the breaks between them mean nothing in it.
    data_ += line;
}

std::vector<std::string> AnswerReader::finish() {
    std::vector<std::string> out;
    if (form_ == Form::kJson) {
        if (text_.find_first_of("\r\n") != std::string::npos) {
            const auto value = json::parse(text_, {kDepth});
            if (value) text_ = json::write(*value);
        }
        out.push_back(std::exchange(text_, {}));
    }  // an event without its empty line is incomplete and does not count
    return out;
}

Reading read_answer(std::string message, const std::string& id) {
    auto value = json::parse_object(message, {kDepth});
    if (!value || text_member(*value, "jsonrpc") != "2.0") return {Reading::Kind::kForeign, {}};
    if (value->contains("method")) return {Reading::Kind::kOther, std::move(message)};
    if (!value->contains("result") && !value->contains("error"))
        return {Reading::Kind::kForeign, {}};
    if (id.empty()) return {Reading::Kind::kOther, std::move(message)};
    const json::Value* given = value->if_contains("id");
    if (given != nullptr && !given->is_null()) {
        const bool ours = json::write(*given) == id;
        return {ours ? Reading::Kind::kAnswer : Reading::Kind::kOther, std::move(message)};
    }
    // A refusal from before the id was read: the caller waits for one that has it.
    if (auto own = json::parse(id)) (*value)["id"] = std::move(*own);
    return {Reading::Kind::kAnswer, json::write(*value)};
}

}  // namespace aeterna::mcp
