#include "api/mcp/message.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::mcp {

namespace {

bool usable_id(const json::Value& id) {
    if (const auto* text = id.if_string()) return text->size() <= kLongestId;
    return id.is_int64() || id.is_uint64();
}

tl::unexpected<BadMessage> bad(std::string message, json::Value id = nullptr) {
    return tl::unexpected(
        BadMessage{{kInvalidRequest, std::move(message), nullptr, 400}, std::move(id)});
}

}  // namespace

const json::Object* object_member(const json::Object& object, std::string_view name) {
    const json::Value* value = object.if_contains(name);
    return value == nullptr ? nullptr : value->if_object();
}

std::optional<std::string_view> text_member(const json::Object& object, std::string_view name) {
    const json::Value* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string_view(value->get_string());
}

tl::expected<Message, BadMessage> read_message(const json::Value& value) {
    const json::Object* object = value.if_object();
    if (object == nullptr) return bad("a message must be a JSON object");
    Message out;
    const json::Value* id = object->if_contains("id");
    const bool has_id = id != nullptr;
    if (has_id && usable_id(*id)) out.id = *id;
    if (text_member(*object, "jsonrpc") != "2.0") {
        return bad("jsonrpc must be \"2.0\"", std::move(out.id));
    }
    const json::Value* method = object->if_contains("method");
    if (method == nullptr) {
        const bool answers = object->contains("result") != object->contains("error");
        if (!answers || !has_id) return bad("a message needs a method", std::move(out.id));
        if (out.id.is_null()) return bad("id must be a string or an integer");
        out.kind = MessageKind::kResponse;
        out.payload = *object;
        return out;
    }
    if (!method->is_string() || method->get_string().empty() ||
        method->get_string().size() > kLongestMethod) {
        return bad(fmt::format("method must be a string of 1 to {} bytes", kLongestMethod),
                   std::move(out.id));
    }
    if (has_id && out.id.is_null()) {
        return bad(
            fmt::format("id must be a string of at most {} bytes or an integer", kLongestId));
    }
    out.kind = has_id ? MessageKind::kRequest : MessageKind::kNotification;
    out.method = std::string_view(method->get_string());
    if (const json::Value* params = object->if_contains("params")) {
        if (!params->is_object()) {
            return tl::unexpected(BadMessage{
                {kInvalidParams, "params must be an object", nullptr, 400}, std::move(out.id)});
        }
        out.params = params->get_object();
    }
    return out;
}

json::Object result_message(const json::Value& id, json::Object result) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

json::Object error_message(const json::Value& id, const RpcError& error) {
    json::Object inner{{"code", error.code}, {"message", error.message}};
    if (!error.data.is_null()) inner["data"] = error.data;
    json::Object out{{"jsonrpc", "2.0"}};
    if (!id.is_null()) out["id"] = id;
    out["error"] = std::move(inner);
    return out;
}

json::Object notification(std::string_view method, json::Object params) {
    return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
}

}  // namespace aeterna::mcp
