#include "memory/requests.hpp"

#include <array>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::memory {

namespace {

using json::Object;
using json::Reader;

constexpr std::size_t kMaxTags = 64;
constexpr std::size_t kMaxFilterMembers = 16;
constexpr std::array<std::string_view, 5> kRewardTypes{"helpful", "irrelevant", "outdated",
                                                       "inaccurate", "duplicate"};

std::string identifier(Reader& reader, std::string_view name, const Limits& limits) {
    auto value = reader.text(name, limits.identifier_characters * 4);
    if (!value) return {};
    const std::size_t length = count_code_points(*value);
    if (length == 0 || length > limits.identifier_characters ||
        trim(*value).size() != value->size()) {
        reader.refuse(Code::kRuleViolation, "bad_identifier",
                      fmt::format("{} must have 1 to {} characters and no white space at its ends",
                                  reader.path_of(name), limits.identifier_characters));
        return {};
    }
    return std::move(*value);
}

void adopt_error(Reader& reader, const result<void>& done) {
    if (!done) reader.refuse(done.error().code, done.error().reason, done.error().message);
}

Identifiers read_identifiers(Reader& reader, const Limits& limits) {
    Identifiers out;
    const Object* object = reader.object("identifiers");
    if (object == nullptr) return out;
    Reader inner(*object, reader.path_of("identifiers"));
    out.agent_id = identifier(inner, "agentId", limits);
    out.user_id = identifier(inner, "userId", limits);
    out.session_id = identifier(inner, "sessionId", limits);
    out.project_id = identifier(inner, "projectId", limits);
    out.team_id = identifier(inner, "teamId", limits);
    out.org_id = identifier(inner, "orgId", limits);
    out.company_id = identifier(inner, "companyId", limits);
    adopt_error(reader, inner.finish());
    return out;
}

std::optional<Layer> read_layer(Reader& reader, std::string_view name) {
    const auto text = reader.text(name, 100);
    if (!text) return std::nullopt;
    const auto layer = layer_named(*text);
    if (!layer) {
        reader.refuse(
            Code::kRuleViolation, "invalid_layer",
            fmt::format(
                "{} must be agent, user, session, project, team, org or company; not \"{}\"",
                reader.path_of(name), cut_utf8(*text, 40)));
    }
    return layer;
}

Layer required_layer(Reader& reader, std::string_view name) {
    const auto layer = read_layer(reader, name);
    if (!layer)
        reader.refuse(Code::kMalformed, "missing_field",
                      fmt::format("{} is required", reader.path_of(name)));
    return layer.value_or(Layer::kUser);
}

/// Free-form but for tags (array of strings) and source (object).
std::optional<Object> read_metadata(Reader& reader, const Limits& limits) {
    const Object* object = reader.object("metadata");
    if (object == nullptr) return std::nullopt;
    if (const auto size = json::write(*object).size(); size > limits.metadata_bytes) {
        reader.refuse(Code::kTooLarge, "too_large",
                      fmt::format("metadata has {} bytes as JSON; at most {} are allowed", size,
                                  limits.metadata_bytes));
        return std::nullopt;
    }
    Reader inner(*object, "metadata");
    (void)inner.texts("tags", kMaxTags, 400);
    (void)inner.object("source");
    if (inner.error()) {
        reader.refuse(inner.error()->code, inner.error()->reason, inner.error()->message);
        return std::nullopt;
    }
    return *object;
}

std::string read_content(Reader& reader, const std::optional<std::string>& given) {
    const std::string normal = to_nfc(trim(*given));
    if (normal.empty()) {
        reader.refuse(Code::kRuleViolation, "empty_content",
                      "content must have at least one visible character");
    }
    return normal;
}

Filters read_filters(Reader& reader) {
    Filters out;
    const Object* object = reader.object("filters");
    if (object == nullptr) return out;
    Reader inner(*object, reader.path_of("filters"));
    out.tags = inner.texts("tags", kMaxTags, 400);
    out.any_tags = inner.texts("anyTags", kMaxTags, 400);
    out.source_type = inner.text("sourceType", 400);
    out.created_after = inner.time("createdAfter");
    out.created_before = inner.time("createdBefore");
    out.updated_after = inner.time("updatedAfter");
    out.updated_before = inner.time("updatedBefore");
    out.min_importance = inner.number("minImportance", 0, 1);
    if (const Object* members = inner.object("metadata")) {
        if (members->size() > kMaxFilterMembers) {
            inner.refuse(
                Code::kTooLarge, "too_many",
                fmt::format("filters.metadata has more than {} members", kMaxFilterMembers));
        }
        for (const auto& member : *members) {
            if (member.value().is_structured()) {
                inner.refuse(Code::kMalformed, "wrong_type",
                             fmt::format("filters.metadata.{} must be a plain value",
                                         std::string_view(member.key())));
            }
            out.metadata.emplace_back(member.key(), member.value());
        }
    }
    adopt_error(reader, inner.finish());
    return out;
}

std::optional<MemoryId> read_id(Reader& reader, std::string_view name) {
    const auto text = reader.text(name, 100);
    if (!text) {
        reader.refuse(Code::kMalformed, "missing_field",
                      fmt::format("{} is required", reader.path_of(name)));
        return std::nullopt;
    }
    const auto id = MemoryId::parse(*text);
    if (!id)
        reader.refuse(Code::kMalformed, "bad_id",
                      fmt::format("{} must be a UUID", reader.path_of(name)));
    return id;
}

template <class T>
result<T> finished(Reader& reader, T value) {
    AETERNA_TRY(reader.finish());
    return value;
}

AddRequest add_fields(Reader& reader, const Limits& limits) {
    AddRequest out;
    const std::optional<std::string> content =
        reader.required_text("content", limits.content_bytes);
    if (!reader.error()) out.content = read_content(reader, content);
    out.layer = required_layer(reader, "layer");
    out.identifiers = read_identifiers(reader, limits);
    out.metadata = read_metadata(reader, limits).value_or(Object{});
    out.importance = reader.number("importance", 0, 1);
    out.expires_at = reader.time("expiresAt");
    return out;
}

UpdateRequest update_fields(Reader& reader, MemoryId id, const Limits& limits) {
    UpdateRequest out;
    out.id = id;
    if (auto content = reader.text("content", limits.content_bytes))
        out.content = read_content(reader, content);
    out.metadata = read_metadata(reader, limits);
    out.importance = reader.number("importance", 0, 1);
    const auto expires = reader.time("expiresAt");
    if (reader.has("expiresAt")) out.expires_at = expires;
    out.if_version = reader.integer("ifVersion", 1, INT64_MAX);
    return out;
}

BatchItem read_operation(const json::Value& value, std::size_t index, const Limits& limits) {
    if (!value.is_object()) {
        return fail(Code::kMalformed, "wrong_type",
                    fmt::format("operations[{}] must be an object", index));
    }
    Reader reader(value.get_object(), fmt::format("operations[{}]", index));
    const std::string op = reader.required_text("op", 20);
    if (op == "add") {
        auto request = add_fields(reader, limits);
        AETERNA_TRY(reader.finish());
        return request;
    }
    if (op == "update" || op == "delete") {
        const auto id = read_id(reader, "id");
        if (op == "delete") {
            DeleteRequest request{id.value_or(MemoryId{}),
                                  reader.integer("ifVersion", 1, INT64_MAX)};
            AETERNA_TRY(reader.finish());
            return request;
        }
        auto request = update_fields(reader, id.value_or(MemoryId{}), limits);
        AETERNA_TRY(reader.finish());
        return request;
    }
    if (reader.error()) return tl::unexpected(*reader.error());
    return fail(
        Code::kMalformed, "unknown_operation",
        fmt::format("operations[{}].op must be add, update or delete; not \"{}\"", index, op));
}

}  // namespace

result<AddRequest> read_add(const Object& body, const Limits& limits) {
    Reader reader(body, "");
    auto out = add_fields(reader, limits);
    return finished(reader, std::move(out));
}

result<UpdateRequest> read_update(MemoryId id, const Object& body, const Limits& limits) {
    Reader reader(body, "");
    auto out = update_fields(reader, id, limits);
    return finished(reader, std::move(out));
}

result<FeedbackRequest> read_feedback(std::optional<MemoryId> id, const Object& body) {
    Reader reader(body, "");
    FeedbackRequest out;
    if (!id) id = read_id(reader, "memoryId");
    out.id = id.value_or(MemoryId{});
    out.reward_type = reader.required_text("rewardType", 100);
    if (!reader.error() && std::ranges::find(kRewardTypes, out.reward_type) == kRewardTypes.end()) {
        reader.refuse(Code::kRuleViolation, "invalid_reward_type",
                      "rewardType must be helpful, irrelevant, outdated, inaccurate or duplicate");
    }
    const auto score = reader.number("score", -1, 1);
    if (!score) reader.refuse(Code::kMalformed, "missing_field", "score is required, from -1 to 1");
    out.score = score.value_or(0);
    out.if_version = reader.integer("ifVersion", 1, INT64_MAX);
    return finished(reader, std::move(out));
}

result<PromoteRequest> read_promote(std::optional<MemoryId> id, const Object& body,
                                    const Limits& limits) {
    Reader reader(body, "");
    PromoteRequest out;
    if (!id) id = read_id(reader, "memoryId");
    out.id = id.value_or(MemoryId{});
    out.target = required_layer(reader, "targetLayer");
    out.identifiers = read_identifiers(reader, limits);
    return finished(reader, std::move(out));
}

result<std::vector<BatchItem>> read_batch(const Object& body, const Limits& limits) {
    Reader reader(body, "");
    std::vector<BatchItem> out;
    const json::Array* operations = reader.array("operations", limits.batch_operations);
    if (operations == nullptr && !reader.error()) {
        reader.refuse(Code::kMalformed, "missing_field", "operations is required");
    }
    AETERNA_TRY(reader.finish());
    out.reserve(operations->size());
    for (std::size_t i = 0; i < operations->size(); ++i) {
        out.push_back(read_operation((*operations)[i], i, limits));
    }
    return out;
}

result<SearchRequest> read_search(const Object& body, const Limits& limits) {
    Reader reader(body, "");
    SearchRequest out;
    out.query = reader.required_text("query", limits.query_bytes);
    if (!reader.error() && trim(out.query).empty()) {
        reader.refuse(Code::kRuleViolation, "empty_query",
                      "query must have at least one visible character");
    }
    for (const std::string& name : reader.texts("layers", kLayers.size(), 100)) {
        if (const auto layer = layer_named(name)) {
            if (std::ranges::find(out.layers, *layer) == out.layers.end())
                out.layers.push_back(*layer);
        } else {
            reader.refuse(
                Code::kRuleViolation, "invalid_layer",
                fmt::format(
                    "layers may hold agent, user, session, project, team, org, company; not \"{}\"",
                    cut_utf8(name, 40)));
        }
    }
    out.identifiers = read_identifiers(reader, limits);
    out.limit = static_cast<std::size_t>(reader.integer("limit", 1, 100).value_or(10));
    out.threshold = reader.number("threshold", 0, 1).value_or(0);
    out.filters = read_filters(reader);
    out.explain = reader.flag("explain").value_or(false);
    out.as_of = reader.time("asOf");
    return finished(reader, std::move(out));
}

result<ListRequest> read_list(const Object& body, const Limits& limits) {
    Reader reader(body, "");
    ListRequest out;
    out.layer = required_layer(reader, "layer");
    out.identifiers = read_identifiers(reader, limits);
    out.filters = read_filters(reader);
    out.limit = static_cast<std::size_t>(reader.integer("limit", 1, 500).value_or(50));
    if (const auto cursor = reader.text("cursor", 200)) {
        const auto after = decode_cursor(*cursor);
        if (after) {
            out.after = *after;
        } else {
            reader.refuse(after.error().code, after.error().reason, after.error().message);
        }
    }
    return finished(reader, std::move(out));
}

result<StartSessionRequest> read_start_session(const Object& body, const Limits& limits) {
    Reader reader(body, "");
    StartSessionRequest out;
    out.id = identifier(reader, "sessionId", limits);
    out.identifiers = read_identifiers(reader, limits);
    out.metadata = read_metadata(reader, limits).value_or(Object{});
    return finished(reader, std::move(out));
}

result<EndSessionRequest> read_end_session(std::string id, const Object& body,
                                           const Limits& limits) {
    Reader reader(body, "");
    EndSessionRequest out;
    out.id = std::move(id);
    if (const Object* promote = reader.object("promote")) {
        Reader inner(*promote, "promote");
        out.promote_to = required_layer(inner, "targetLayer");
        out.identifiers = read_identifiers(inner, limits);
        out.min_importance = inner.number("minImportance", 0, 1).value_or(0);
        adopt_error(reader, inner.finish());
    }
    return finished(reader, std::move(out));
}

std::string encode_cursor(MemoryId after) {
    return base64url_encode(
        std::string_view(reinterpret_cast<const char*>(after.value.bytes.data()), 16));
}

result<MemoryId> decode_cursor(std::string_view cursor) {
    const auto raw = base64url_decode(cursor);
    if (raw && raw->size() == 16) {
        const auto bytes =
            std::span(reinterpret_cast<const std::uint8_t*>(raw->data()), raw->size());
        return MemoryId{*Uuid::from_bytes(bytes)};
    }
    return fail(Code::kMalformed, "bad_cursor",
                "cursor must be the nextCursor of an earlier answer, unchanged");
}

}  // namespace aeterna::memory
