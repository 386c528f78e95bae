#include <algorithm>
#include <unordered_map>

#include "memory/access.hpp"
#include "memory/memory_service.hpp"
#include "retrieval/highlight.hpp"

namespace aeterna::memory {

namespace {

constexpr std::size_t kHighlights = 3;
/// More than the limit is fetched, because a row may have gone between the index and the store.
constexpr std::size_t kSpare = 5;

/// The scopes a search looks into, each allowed to this caller.
result<std::vector<Scope>> scopes_of(const SearchRequest& request,
                                     const security::Principal& caller) {
    const std::vector<Layer> layers =
        request.layers.empty() ? layers_covered_by(request.identifiers) : request.layers;
    if (layers.empty()) {
        return fail(
            Code::kRuleViolation, "missing_identifier",
            "identifiers must name at least one layer to search, for example {\"userId\":\"ada\"}");
    }
    std::vector<Scope> scopes;
    for (const Layer layer : layers) {
        auto scope = scope_of(caller.tenant, layer, request.identifiers);
        if (!scope) return tl::unexpected(std::move(scope).error());
        AETERNA_TRY(authorize(caller, layer, request.identifiers, Access::kRead));
        scopes.push_back(std::move(*scope));
    }
    return scopes;
}

}  // namespace

task<result<SearchAnswer>> MemoryService::search(SearchRequest request, ReadContext context) {
    auto scopes = scopes_of(request, context.caller);
    if (!scopes) co_return tl::unexpected(std::move(scopes).error());
    const Timestamp now = parts_.clock.now();
    const Timestamp at = request.as_of.value_or(now);

    IndexQuery query;
    query.scopes = *scopes;
    query.text = request.query;
    query.filters = request.filters;
    query.now = at;
    query.depth = std::max<std::size_t>(200, request.limit * 4);
    SearchAnswer answer;
    auto vectors = co_await parts_.embedder.embed({request.query}, context.deadline);
    if (vectors && vectors->size() == 1) {
        query.vector = std::move(vectors->front());
        query.embedder = parts_.embedder.identity().name;
    } else {
        answer.degraded = true;
    }

    std::unordered_map<MemoryId, Memory> past;
    result<Candidates> candidates = Candidates{};
    if (request.as_of) {
        auto records = co_await parts_.store.valid_at(*scopes, at, context.deadline);
        if (!records) co_return tl::unexpected(std::move(records).error());
        for (const MemoryRecord& record : *records) past.emplace(record.memory.id, record.memory);
        candidates = co_await parts_.index.search_among(std::move(*records), std::move(query),
                                                        context.deadline);
    } else {
        candidates = co_await parts_.index.search(std::move(query), context.deadline);
    }
    if (!candidates) co_return tl::unexpected(std::move(candidates).error());
    answer.degraded = answer.degraded || candidates->vector_degraded;

    const std::vector<Ranked> ranked = rank(*candidates, request.threshold, at);
    answer.total = ranked.size();
    std::vector<MemoryId> ids;
    for (std::size_t i = 0; i < std::min(ranked.size(), request.limit + kSpare); ++i) {
        ids.push_back(candidates->items[ranked[i].candidate].id);
    }
    if (!request.as_of && !ids.empty()) {
        auto memories =
            co_await parts_.store.find_many(context.caller.tenant, ids, now, context.deadline);
        if (!memories) co_return tl::unexpected(std::move(memories).error());
        for (Memory& memory : *memories) past.emplace(memory.id, std::move(memory));
    }
    for (std::size_t i = 0; i < ids.size() && answer.items.size() < request.limit; ++i) {
        const auto found = past.find(ids[i]);
        if (found == past.end() || !matches(request.filters, found->second)) {
            --answer.total;
            continue;
        }
        const Candidate& candidate = candidates->items[ranked[i].candidate];
        SearchItem item{std::move(found->second), ranked[i], candidate, {}};
        item.highlights = retrieval::highlights(item.memory.content, candidate.terms, kHighlights);
        answer.items.push_back(std::move(item));
    }
    co_return answer;
}

}  // namespace aeterna::memory
