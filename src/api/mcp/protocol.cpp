#include "api/mcp/protocol.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "observe/log.hpp"

namespace aeterna::mcp {

namespace {

constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kMetaCapabilities = "io.modelcontextprotocol/clientCapabilities";
constexpr std::string_view kMetaServer = "io.modelcontextprotocol/serverInfo";
constexpr std::string_view kMetaLogLevel = "io.modelcontextprotocol/logLevel";
constexpr std::array<std::string_view, 8> kLogLevels{"debug", "info",     "notice", "warning",
                                                     "error", "critical", "alert",  "emergency"};
/// {envelope{params{arguments}}}: the depth that stands around the arguments.
constexpr std::size_t kEnvelopeDepth = 2;

std::optional<std::size_t> level_rank(std::string_view level) {
    const auto at = std::ranges::find(kLogLevels, level);
    if (at == kLogLevels.end()) return std::nullopt;
    return static_cast<std::size_t>(at - kLogLevels.begin());
}

/// The member that Mcp-Name mirrors, for the methods that have one.
std::string_view mirrored_member(std::string_view method) {
    if (method == "tools/call" || method == "prompts/get") return "name";
    if (method == "resources/read") return "uri";
    return {};
}

RpcError unsupported(std::string_view requested) {
    json::Array supported;
    for (const std::string_view version : supported_versions()) supported.emplace_back(version);
    return {
        kUnsupportedVersion, "Unsupported protocol version",
        json::Object{{"supported", std::move(supported)}, {"requested", cut_utf8(requested, 100)}},
        400};
}

RpcError mismatch(std::string text) {
    return {kHeaderMismatch, "Header mismatch: " + std::move(text), nullptr, 400};
}

/// What is wrong with the headers that repeat the body, if anything is.
std::optional<RpcError> check_mirrored(const Message& message, const MirroredHeaders& headers) {
    if (!headers.method) return mismatch("the Mcp-Method header is missing");
    if (*headers.method != message.method) {
        return mismatch(fmt::format("Mcp-Method is \"{}\", the body says \"{}\"",
                                    cut_utf8(*headers.method, 100), message.method));
    }
    const std::string_view member = mirrored_member(message.method);
    if (member.empty()) return std::nullopt;
    const auto given = text_member(message.params, member);
    if (!given) return std::nullopt;  // the method itself says what is missing
    if (!headers.name) return mismatch("the Mcp-Name header is missing");
    if (const auto name = decode_mirrored(*headers.name); !name || *name != *given) {
        return mismatch(fmt::format("Mcp-Name does not name params.{}", member));
    }
    return std::nullopt;
}

}  // namespace

const std::vector<std::string_view>& supported_versions() {
    static const std::vector<std::string_view> kVersions{kStateless, kLatestHandshake, "2025-06-18",
                                                         kOldest};
    return kVersions;
}

std::optional<std::string> decode_mirrored(std::string_view value) {
    constexpr std::string_view kPrefix = "=?base64?";
    constexpr std::string_view kSuffix = "?=";
    if (value.size() < kPrefix.size() + kSuffix.size() || !value.starts_with(kPrefix) ||
        !value.ends_with(kSuffix)) {
        return std::string(value);
    }
    value.remove_prefix(kPrefix.size());
    value.remove_suffix(kSuffix.size());
    if (value.size() % 4 != 0) return std::nullopt;
    std::string coded(value.substr(0, value.find('=')));
    if (value.size() - coded.size() > 2 || coded.find_first_of("-_") != std::string::npos)
        return std::nullopt;
    std::ranges::replace(coded, '+', '-');
    std::ranges::replace(coded, '/', '_');
    auto decoded = base64url_decode(coded);
    if (!decoded || !is_valid_utf8(*decoded)) return std::nullopt;
    return decoded;
}

std::string encode_mirrored(std::string_view value) {
    const bool plain = std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7f; }) &&
                       !value.starts_with(' ') && !value.ends_with(' ') &&
                       !value.starts_with("=?base64?");
    return plain ? std::string(value) : fmt::format("=?base64?{}?=", base64_encode(value));
}

json::Object text_result(std::string text) {
    return {{"content", json::Array{json::Object{{"type", "text"}, {"text", std::move(text)}}}}};
}

task<void> Call::progress(double done, double total, std::string text) const {
    const json::Object* meta = object_member(params, "_meta");
    const json::Value* token = meta == nullptr ? nullptr : meta->if_contains("progressToken");
    if (outlet == nullptr || token == nullptr || token->is_structured()) co_return;
    json::Object body{{"progressToken", *token}, {"progress", done}, {"total", total}};
    if (!text.empty()) body["message"] = text;
    (void)co_await outlet->send(notification("notifications/progress", std::move(body)));
}

task<void> Call::log(std::string level, json::Value data) const {
    if (outlet == nullptr) co_return;
    if (stateless()) {
        const json::Object* meta = object_member(params, "_meta");
        const auto wanted = meta == nullptr ? std::nullopt : text_member(*meta, kMetaLogLevel);
        if (!wanted || level_rank(level) < level_rank(*wanted)) co_return;
    }
    (void)co_await outlet->send(
        notification("notifications/message", {{"level", level}, {"data", std::move(data)}}));
}

tl::expected<json::Value, Answer> Engine::parse(std::string_view text) const {
    auto value = json::parse(text, {options_.argument_depth + kEnvelopeDepth});
    if (value) return std::move(*value);
    const Error& error = value.error();
    // Not JSON is one thing, JSON that breaks a rule of ours another.
    const int code = error.code == Code::kMalformed ? kParseError : kInvalidRequest;
    return tl::unexpected(Answer{400, error_message(nullptr, {code, error.message, nullptr, 400})});
}

std::variant<Answer, Request> Engine::prepare(const json::Value& value,
                                              const MirroredHeaders* headers) const {
    auto read = read_message(value);
    if (!read) {
        const BadMessage& bad = read.error();
        return Answer{bad.error.http_status, error_message(bad.id, bad.error)};
    }
    if (read->kind == MessageKind::kResponse) {
        if (responses_) responses_(read->payload);
        return Answer{202, std::nullopt};
    }
    if (read->kind == MessageKind::kNotification) return Answer{202, std::nullopt};
    Request request{std::move(*read), kLatestHandshake, {}, nullptr, false};
    auto trouble = settle_version(request, headers);
    if (!trouble) trouble = check_call(request);
    if (trouble) return Answer{trouble->http_status, error_message(request.message.id, *trouble)};
    return request;
}

std::optional<RpcError> Engine::settle_version(Request& request,
                                               const MirroredHeaders* headers) const {
    const Message& message = request.message;
    const json::Object* meta = object_member(message.params, "_meta");
    const auto inside = meta == nullptr ? std::nullopt : text_member(*meta, kMetaVersion);
    const auto outside =
        headers == nullptr ? std::nullopt : std::optional<std::string>(headers->version);
    const bool stateless =
        inside || (outside && *outside == kStateless) || message.method == "server/discover";
    if (!stateless) {
        if (!outside) {
            // Over HTTP, clients older than 2025-06-18 send no version.
            if (headers != nullptr && message.method != "initialize") request.protocol = kOldest;
            return std::nullopt;
        }
        const auto known = std::ranges::find(supported_versions(), *outside);
        if (known == supported_versions().end()) {
            // A client that opens with a version we do not have is told ours in the handshake.
            if (message.method == "initialize") return std::nullopt;
            return unsupported(*outside);
        }
        request.protocol = *known;
        return std::nullopt;
    }
    request.protocol = kStateless;
    if (!inside) {
        return RpcError{kInvalidParams, fmt::format("params._meta must carry \"{}\"", kMetaVersion),
                        nullptr, 400};
    }
    if (headers != nullptr) {
        if (!outside) return mismatch("the MCP-Protocol-Version header is missing");
        if (*outside != *inside) {
            return mismatch(fmt::format("MCP-Protocol-Version is \"{}\", the body says \"{}\"",
                                        cut_utf8(*outside, 100), cut_utf8(*inside, 100)));
        }
    }
    if (*inside != kStateless) return unsupported(*inside);
    const json::Object* capabilities = object_member(*meta, kMetaCapabilities);
    if (capabilities == nullptr) {
        return RpcError{kInvalidParams,
                        fmt::format("params._meta must carry \"{}\", an object", kMetaCapabilities),
                        nullptr, 400};
    }
    request.client_capabilities = *capabilities;
    if (const json::Value* level = meta->if_contains(kMetaLogLevel)) {
        if (!level->is_string() || !level_rank(std::string_view(level->get_string()))) {
            return RpcError{kInvalidParams, fmt::format("\"{}\" is not a log level", kMetaLogLevel),
                            nullptr, 400};
        }
    }
    return headers == nullptr ? std::nullopt : check_mirrored(message, *headers);
}

bool Engine::knows(std::string_view method, std::string_view protocol) const {
    const bool stateless = protocol == kStateless;
    if (method == "initialize" || method == "ping") return !stateless;
    if (method == "server/discover") return stateless;
    if (method == "tools/list" || method == "tools/call") return !tools_.empty();
    return method_named(method, protocol) != nullptr;
}

const Tool* Engine::tool_named(std::string_view name) const {
    const auto at = std::ranges::find(tools_, name, &Tool::name);
    return at == tools_.end() ? nullptr : &*at;
}

const Method* Engine::method_named(std::string_view name, std::string_view protocol) const {
    const Era other = protocol == kStateless ? Era::kHandshake : Era::kStatelessOnly;
    const auto at = std::ranges::find_if(
        methods_, [&](const Method& method) { return method.name == name && method.era != other; });
    return at == methods_.end() ? nullptr : &*at;
}

std::optional<RpcError> Engine::check_call(Request& request) const {
    const Message& message = request.message;
    const bool stateless = request.protocol == kStateless;
    if (!knows(message.method, request.protocol)) {
        return RpcError{kMethodNotFound,
                        fmt::format("there is no method \"{}\"", cut_utf8(message.method, 100)),
                        nullptr, stateless ? 404 : 200};
    }
    if (message.method != "tools/call") return std::nullopt;
    const auto name = text_member(message.params, "name");
    if (!name) return RpcError{kInvalidParams, "params.name must name a tool", nullptr, 200};
    const Tool* tool = tool_named(*name);
    if (tool == nullptr) {
        return RpcError{kInvalidParams, fmt::format("Unknown tool: {}", cut_utf8(*name, 100)),
                        nullptr, 200};
    }
    const json::Value* arguments = message.params.if_contains("arguments");
    if (arguments != nullptr && !arguments->is_object()) {
        return RpcError{kInvalidParams, "params.arguments must be an object", nullptr, 200};
    }
    if (stateless) {
        json::Object missing;
        for (const auto& wanted : tool->required_capabilities) {
            if (!request.client_capabilities.contains(wanted.key()))
                missing[wanted.key()] = wanted.value();
        }
        if (!missing.empty()) {
            return RpcError{kMissingClientCapability, "the client lacks a capability of this tool",
                            json::Object{{"requiredCapabilities", std::move(missing)}}, 400};
        }
    }
    request.tool = tool;
    request.streams = tool->streams;
    return std::nullopt;
}

task<Answer> Engine::run(Request request, security::Principal caller, Deadline deadline,
                         std::string request_id, Outlet* outlet) const {
    const json::Value id = request.message.id;
    const bool stateless = request.protocol == kStateless;
    const Method* method = method_named(request.message.method, request.protocol);
    const bool cacheable = request.message.method == "tools/list" ||
                           request.message.method == "server/discover" ||
                           (method != nullptr && method->cacheable);
    Call call{std::move(caller),           deadline, std::move(request_id), request.protocol, {},
              request.client_capabilities, outlet};
    Outcome outcome = refuse(kInternalError, "the call failed unexpectedly");
    try {
        outcome = co_await dispatch(request, std::move(call));
    } catch (const std::exception& failure) {
        log::error("mcp_handler_threw",
                   {{"method", request.message.method}, {"what", std::string(failure.what())}});
    }
    if (!outcome) {
        co_return Answer{outcome.error().http_status, error_message(id, outcome.error())};
    }
    if (stateless) dress(*outcome, cacheable);
    co_return Answer{200, result_message(id, std::move(*outcome))};
}

task<Outcome> Engine::dispatch(Request& request, Call call) const {
    const std::string& method = request.message.method;
    if (method == "initialize") co_return initialize(request.message.params);
    if (method == "ping") co_return json::Object{};
    if (method == "server/discover") co_return discover();
    if (method == "tools/list") co_return list_tools(request);
    call.params = request.message.params;
    if (request.tool != nullptr) {
        const json::Object* given = object_member(call.params, "arguments");
        json::Object arguments = given == nullptr ? json::Object{} : *given;
        co_return co_await request.tool->handler(std::move(arguments), std::move(call));
    }
    json::Object params = request.message.params;
    co_return co_await method_named(method, request.protocol)
        ->handler(std::move(params), std::move(call));
}

Outcome Engine::initialize(const json::Object& params) const {
    const auto wanted = text_member(params, "protocolVersion");
    if (!wanted)
        return refuse(kInvalidParams, "params.protocolVersion is required, such as \"2025-11-25\"");
    const bool ours = *wanted != kStateless && std::ranges::find(supported_versions(), *wanted) !=
                                                   supported_versions().end();
    json::Object out;
    out["protocolVersion"] = ours ? *wanted : kLatestHandshake;
    out["capabilities"] = capabilities();
    out["serverInfo"] = server_json();
    if (!options_.server.instructions.empty()) out["instructions"] = options_.server.instructions;
    return out;
}

Outcome Engine::discover() const {
    json::Array versions;
    for (const std::string_view version : supported_versions()) versions.emplace_back(version);
    json::Object out{{"supportedVersions", std::move(versions)}, {"capabilities", capabilities()}};
    if (!options_.server.instructions.empty()) out["instructions"] = options_.server.instructions;
    return out;
}

Outcome Engine::list_tools(const Request& request) const {
    // One page holds them all, so no cursor is ever ours.
    if (request.message.params.contains("cursor"))
        return refuse(kInvalidParams, "cursor: this list has one page");
    json::Array list;
    for (const Tool& tool : tools_) {
        json::Object item{{"name", tool.name}};
        if (!tool.title.empty()) item["title"] = tool.title;
        item["description"] = tool.description;
        item["inputSchema"] = tool.input_schema;
        if (!tool.output_schema.empty()) item["outputSchema"] = tool.output_schema;
        if (!tool.annotations.empty()) item["annotations"] = tool.annotations;
        list.push_back(std::move(item));
    }
    return json::Object{{"tools", std::move(list)}};
}

json::Object Engine::capabilities() const {
    json::Object out;
    if (!tools_.empty()) out["tools"] = json::Object{};
    for (const auto& more : options_.capabilities) out[more.key()] = more.value();
    return out;
}

json::Object Engine::server_json() const {
    json::Object out{{"name", options_.server.name}};
    if (!options_.server.title.empty()) out["title"] = options_.server.title;
    out["version"] = options_.server.version;
    return out;
}

void Engine::dress(json::Object& result, bool cacheable) const {
    if (!result.contains("resultType")) result["resultType"] = "complete";
    if (cacheable) {
        result["ttlMs"] = options_.list_ttl_ms;
        result["cacheScope"] = "public";
    }
    json::Value& meta = result["_meta"];
    if (!meta.is_object()) meta = json::Object{};
    meta.get_object()[kMetaServer] = server_json();
}

}  // namespace aeterna::mcp
