#include "memory/types.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace aeterna::memory {

namespace {

struct LayerRow {
    std::string_view name;
    double decay;
    /// The identifiers that make the owner of this layer, and their names in JSON.
    std::array<std::string Identifiers::*, 2> parts;
    std::array<std::string_view, 2> part_names;
};

constexpr std::array<LayerRow, 7> kRows{{
    {"agent", .10, {&Identifiers::agent_id, &Identifiers::user_id}, {"agentId", "userId"}},
    {"user", .03, {&Identifiers::user_id, nullptr}, {"userId", ""}},
    {"session", .05, {&Identifiers::user_id, &Identifiers::session_id}, {"userId", "sessionId"}},
    {"project", .01, {&Identifiers::project_id, nullptr}, {"projectId", ""}},
    {"team", .008, {&Identifiers::team_id, nullptr}, {"teamId", ""}},
    {"org", .005, {&Identifiers::org_id, nullptr}, {"orgId", ""}},
    {"company", .002, {&Identifiers::company_id, nullptr}, {"companyId", ""}},
}};

const LayerRow& row(Layer layer) noexcept {
    return kRows[static_cast<std::size_t>(layer)];
}

constexpr std::array<std::string_view, 8> kChanges{"added",    "reinforced", "updated", "deleted",
                                                   "feedback", "promoted",   "expired", "imported"};

bool has_tag(const boost::json::object& metadata, std::string_view tag) {
    const auto* tags = metadata.if_contains("tags");
    if (tags == nullptr || !tags->is_array()) return false;
    return std::ranges::any_of(tags->get_array(), [&](const boost::json::value& item) {
        return item.is_string() && std::string_view(item.get_string()) == tag;
    });
}

}  // namespace

std::string_view name_of(Layer layer) noexcept {
    return row(layer).name;
}

std::optional<Layer> layer_named(std::string_view name) noexcept {
    for (const Layer layer : kLayers) {
        if (row(layer).name == name) return layer;
    }
    return std::nullopt;
}

double decay_per_day(Layer layer) noexcept {
    return row(layer).decay;
}

result<Scope> scope_of(const TenantId& tenant, Layer layer, const Identifiers& identifiers) {
    const LayerRow& need = row(layer);
    Scope scope{tenant, layer, {}};
    for (std::size_t i = 0; i < need.parts.size() && need.parts[i] != nullptr; ++i) {
        const std::string& value = identifiers.*need.parts[i];
        if (value.empty()) {
            return fail(
                Code::kRuleViolation, "missing_identifier",
                fmt::format("layer {} needs identifiers.{}{}", need.name, need.part_names[0],
                            need.parts[1] != nullptr
                                ? fmt::format(" and identifiers.{}", need.part_names[1])
                                : std::string()));
        }
        // The length keeps ("a", "bc") and ("ab", "c") apart.
        scope.owner += fmt::format("{}:{};", value.size(), value);
    }
    return scope;
}

std::vector<Layer> layers_covered_by(const Identifiers& identifiers) {
    std::vector<Layer> out;
    for (const Layer layer : kLayers) {
        const LayerRow& need = row(layer);
        const bool covered = std::ranges::all_of(
            need.parts, [&](auto part) { return part == nullptr || !(identifiers.*part).empty(); });
        if (covered) out.push_back(layer);
    }
    return out;
}

std::string_view name_of(ChangeKind kind) noexcept {
    return kChanges[static_cast<std::size_t>(kind)];
}

std::optional<ChangeKind> change_named(std::string_view name) noexcept {
    const auto at = std::ranges::find(kChanges, name);
    if (at == kChanges.end()) return std::nullopt;
    return static_cast<ChangeKind>(at - kChanges.begin());
}

bool Filters::empty() const noexcept {
    return tags.empty() && any_tags.empty() && !source_type && !created_after && !created_before &&
           !updated_after && !updated_before && !min_importance && metadata.empty();
}

bool matches(const Filters& filters, const Memory& memory) {
    const auto tagged = [&](const std::string& tag) { return has_tag(memory.metadata, tag); };
    if (!std::ranges::all_of(filters.tags, tagged)) return false;
    if (!filters.any_tags.empty() && !std::ranges::any_of(filters.any_tags, tagged)) return false;
    if (filters.source_type) {
        const auto* source = memory.metadata.if_contains("source");
        const auto* type = source != nullptr && source->is_object()
                               ? source->get_object().if_contains("type")
                               : nullptr;
        if (type == nullptr || !type->is_string() ||
            std::string_view(type->get_string()) != *filters.source_type) {
            return false;
        }
    }
    if (filters.created_after && memory.created_at < *filters.created_after) return false;
    if (filters.created_before && memory.created_at >= *filters.created_before) return false;
    if (filters.updated_after && memory.updated_at < *filters.updated_after) return false;
    if (filters.updated_before && memory.updated_at >= *filters.updated_before) return false;
    if (filters.min_importance && memory.importance < *filters.min_importance) return false;
    return std::ranges::all_of(filters.metadata, [&](const auto& wanted) {
        const auto* value = memory.metadata.if_contains(wanted.first);
        return value != nullptr && *value == wanted.second;
    });
}

}  // namespace aeterna::memory
