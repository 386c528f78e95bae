#include "storage/embedded/index_document.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "json/codec.hpp"

namespace aeterna::storage {

namespace {

/// One number per fact a filter may ask for; the seed keeps the kinds apart.
enum class Fact : std::uint64_t { kTag = 1, kSource = 2, kMember = 3 };

std::uint64_t attribute(Fact fact, std::string_view text) {
    return stable_hash(text, static_cast<std::uint64_t>(fact));
}

std::uint64_t member_attribute(std::string_view name, const json::Value& value) {
    return attribute(Fact::kMember,
                     fmt::format("{}:{}={}", name.size(), name, json::canonical(value)));
}

std::int64_t micros_or(const std::optional<Timestamp>& at, std::int64_t otherwise) {
    return at ? to_micros(*at) : otherwise;
}

}  // namespace

std::string partition_key(const memory::Scope& scope) {
    return fmt::format("{}:{}/{}/{}", scope.tenant.str().size(), scope.tenant.str(),
                       memory::name_of(scope.layer), scope.owner);
}

retrieval::Document to_document(const memory::MemoryRecord& record) {
    const memory::Memory& memory = record.memory;
    retrieval::Document out;
    out.id = memory.id.value;
    out.version = memory.version;
    out.layer = static_cast<std::uint8_t>(memory.layer);
    out.created = to_micros(memory.created_at);
    out.updated = to_micros(memory.updated_at);
    out.expires = micros_or(memory.expires_at, retrieval::kNever);
    out.importance = memory.importance;
    for (const auto& member : memory.metadata) {
        const std::string_view name = member.key();
        const json::Value& value = member.value();
        if (name == "tags" && value.is_array()) {
            for (const auto& tag : value.get_array()) {
                if (tag.is_string())
                    out.attributes.push_back(attribute(Fact::kTag, tag.get_string()));
            }
        } else if (name == "source" && value.is_object()) {
            const auto* type = value.get_object().if_contains("type");
            if (type != nullptr && type->is_string()) {
                out.attributes.push_back(attribute(Fact::kSource, type->get_string()));
            }
        } else if (!value.is_structured()) {
            out.attributes.push_back(member_attribute(name, value));
        }
    }
    std::ranges::sort(out.attributes);
    out.text = fmt::format("{}\n{}", memory.content, to_rfc3339(memory.created_at).substr(0, 10));
    out.vector = record.embedding;
    out.embedder = record.embedder;
    return out;
}

retrieval::Query to_query(const memory::IndexQuery& query) {
    retrieval::Query out;
    for (const memory::Scope& scope : query.scopes) out.partitions.push_back(partition_key(scope));
    out.text = query.text;
    out.vector = query.vector;
    out.embedder = query.embedder;
    out.now = to_micros(query.now);
    out.depth = query.depth;
    const memory::Filters& filters = query.filters;
    for (const std::string& tag : filters.tags)
        out.conditions.required.push_back(attribute(Fact::kTag, tag));
    for (const std::string& tag : filters.any_tags)
        out.conditions.any_of.push_back(attribute(Fact::kTag, tag));
    if (filters.source_type)
        out.conditions.required.push_back(attribute(Fact::kSource, *filters.source_type));
    for (const auto& [name, value] : filters.metadata) {
        out.conditions.required.push_back(member_attribute(name, value));
    }
    out.conditions.created_from = micros_or(filters.created_after, out.conditions.created_from);
    out.conditions.created_until = micros_or(filters.created_before, out.conditions.created_until);
    out.conditions.updated_from = micros_or(filters.updated_after, out.conditions.updated_from);
    out.conditions.updated_until = micros_or(filters.updated_before, out.conditions.updated_until);
    out.conditions.min_importance = filters.min_importance.value_or(0);
    return out;
}

memory::Candidates to_candidates(retrieval::Matches matches, bool vector_ranking) {
    memory::Candidates out;
    out.scanned = matches.scanned;
    out.vector_ranking = vector_ranking;
    out.items.reserve(matches.items.size());
    for (retrieval::Match& match : matches.items) {
        memory::Candidate item;
        item.id = MemoryId{match.id};
        item.layer = static_cast<memory::Layer>(match.layer);
        item.version = match.version;
        item.updated_at = from_micros(match.updated);
        item.importance = match.importance;
        item.bm25 = match.bm25;
        item.coverage = match.coverage;
        item.cosine = match.cosine;
        item.lexical_rank = match.lexical_rank;
        item.vector_rank = match.vector_rank;
        item.vector = std::move(match.vector);
        item.terms = std::move(match.terms);
        out.items.push_back(std::move(item));
    }
    return out;
}

}  // namespace aeterna::storage
