#include "memory/codec.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "memory/requests.hpp"

namespace aeterna::memory {

namespace {

using json::Array;
using json::Object;
using json::Reader;
using json::Value;

Value time_or_null(const std::optional<Timestamp>& at) {
    return at ? Value(to_rfc3339(*at)) : Value(nullptr);
}

constexpr std::string_view kExportFormat = "aeterna.memory.v1";

}  // namespace

Object to_json(const Identifiers& identifiers) {
    Object out;
    const auto put = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) out[name] = value;
    };
    put("agentId", identifiers.agent_id);
    put("userId", identifiers.user_id);
    put("sessionId", identifiers.session_id);
    put("projectId", identifiers.project_id);
    put("teamId", identifiers.team_id);
    put("orgId", identifiers.org_id);
    put("companyId", identifiers.company_id);
    return out;
}

Object to_json(const Memory& memory) {
    Object out;
    out.reserve(10);
    out["id"] = memory.id.str();
    out["content"] = memory.content;
    out["layer"] = name_of(memory.layer);
    out["identifiers"] = to_json(memory.identifiers);
    out["metadata"] = memory.metadata;
    out["importance"] = memory.importance;
    out["version"] = memory.version;
    out["createdAt"] = to_rfc3339(memory.created_at);
    out["updatedAt"] = to_rfc3339(memory.updated_at);
    out["expiresAt"] = time_or_null(memory.expires_at);
    return out;
}

Object to_json(const MemoryVersion& version) {
    Object out = to_json(version.memory);
    out["actor"] = version.actor.str();
    out["change"] = name_of(version.change);
    out["validFrom"] = to_rfc3339(version.valid_from);
    out["validTo"] = time_or_null(version.valid_to);
    return out;
}

Object to_json(const Session& session) {
    Object out;
    out["id"] = session.id;
    out["identifiers"] = to_json(session.identifiers);
    out["metadata"] = session.metadata;
    out["startedBy"] = session.actor.str();
    out["startedAt"] = to_rfc3339(session.started_at);
    out["endedAt"] = time_or_null(session.ended_at);
    return out;
}

Object to_json(const Error& error) {
    Object out;
    out["error"] = error.machine_code();
    out["message"] = error.message;
    out["retryable"] = error.retryable();
    for (const auto& [name, value] : error.details) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            out[name] = *number;
        } else {
            out[name] = std::get<std::string>(value);
        }
    }
    return out;
}

Sha256 content_hash(std::string_view normal_content) {
    return sha256(normal_content);
}

std::string export_line(const std::vector<MemoryVersion>& versions) {
    Array list;
    for (const MemoryVersion& version : versions) {
        Object item = to_json(version.memory);
        item["actor"] = version.actor.str();
        item["change"] = name_of(version.change);
        list.push_back(std::move(item));
    }
    Object out;
    out["format"] = kExportFormat;
    out["versions"] = std::move(list);
    return json::write(out);
}

result<ImportLine> parse_export_line(std::string_view line, const TenantId& tenant,
                                     const Limits& limits) {
    auto body = json::parse_object(line);
    if (!body) return tl::unexpected(std::move(body).error());
    Reader reader(*body, "");
    if (reader.required_text("format", 100) != kExportFormat) {
        reader.refuse(
            Code::kRuleViolation, "unknown_format",
            fmt::format("each line must have \"format\":\"{}\", as aeterna export writes it",
                        kExportFormat));
    }
    const Array* versions = reader.array("versions", 100'000);
    if (versions == nullptr || versions->empty()) {
        reader.refuse(Code::kMalformed, "missing_field", "versions must hold at least one version");
    }
    AETERNA_TRY(reader.finish());

    ImportLine out;
    std::int64_t before = 0;
    for (const Value& value : *versions) {
        if (!value.is_object())
            return fail(Code::kMalformed, "wrong_type", "each version must be an object");
        // The parts that an add knows go through the same reader, so that an import cannot bring in
        // what the API refuses.
        Object added;
        Object rest;
        for (const auto& member : value.get_object()) {
            const std::string_view name = member.key();
            const bool of_add = name == "content" || name == "layer" || name == "identifiers" ||
                                name == "metadata" || name == "importance" || name == "expiresAt";
            (of_add ? added : rest)[name] = member.value();
        }
        auto fields = read_add(added, limits);
        if (!fields) return tl::unexpected(std::move(fields).error());
        Reader inner(rest, "version");
        const auto id = MemoryId::parse(inner.required_text("id", 100));
        const auto version = inner.integer("version", 1, INT64_MAX);
        const auto created = inner.time("createdAt");
        const auto updated = inner.time("updatedAt");
        const auto change = change_named(inner.required_text("change", 100));
        const std::string actor = inner.required_text("actor", 400);
        AETERNA_TRY(inner.finish());
        if (!id || !version || !created || !updated || !change || !fields->importance) {
            return fail(
                Code::kMalformed, "missing_field",
                "each version needs id, version, importance, createdAt, updatedAt and change");
        }
        if (*version <= before)
            return fail(Code::kRuleViolation, "bad_order", "versions must ascend");
        before = *version;
        auto scope = scope_of(tenant, fields->layer, fields->identifiers);
        if (!scope) return tl::unexpected(std::move(scope).error());

        MemoryRecord record;
        record.scope = std::move(*scope);
        record.content_hash = content_hash(fields->content);
        record.memory = {*id,
                         std::move(fields->content),
                         fields->layer,
                         std::move(fields->identifiers),
                         std::move(fields->metadata),
                         *fields->importance,
                         *version,
                         *created,
                         *updated,
                         fields->expires_at};
        record.actor = Subject(actor);
        record.change = *change;
        if (!out.older.empty() && out.older.front().memory.id != *id) {
            return fail(Code::kRuleViolation, "mixed_ids",
                        "all versions of a line must have one id");
        }
        out.older.push_back(std::move(record));
    }
    out.present = std::move(out.older.back());
    out.older.pop_back();
    return out;
}

}  // namespace aeterna::memory
