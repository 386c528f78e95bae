#include "api/rest/memory_routes.hpp"

#include <charconv>

#include <fmt/format.h>

#include "api/rest/reply.hpp"
#include "memory/codec.hpp"

namespace aeterna::rest {

namespace {

using memory::Committed;
using memory::MemoryService;
using memory::ReadContext;
using memory::WriteContext;

result<MemoryId> id_of(const Exchange& exchange) {
    const auto id = MemoryId::parse(exchange.parameters.front());
    if (!id) return fail(Code::kMalformed, "bad_id", "the id in the path must be a UUID");
    return *id;
}

net::HttpResponse answer(const result<Committed>& committed, const std::string& request_id) {
    return committed ? committed_response(*committed)
                     : error_response(committed.error(), request_id);
}

/// The common path of every write with a body: read the JSON, make the claim, read the request,
/// call.
template <class Read, class Run>
task<net::HttpResponse> write_with_body(Exchange exchange, std::size_t depth, bool optional_body,
                                        Read read, Run run) {
    const std::string request_id = exchange.request_id;
    auto body = body_object(exchange, depth, optional_body);
    if (!body) co_return error_response(body.error(), request_id);
    auto claim = claim_of(exchange, *body);
    if (!claim) co_return error_response(claim.error(), request_id);
    auto request = read(exchange, *body);
    if (!request) co_return error_response(request.error(), request_id);
    WriteContext context{exchange.caller, std::move(*claim), exchange.deadline};
    co_return answer(co_await run(std::move(*request), std::move(context)), request_id);
}

/// A condition may come as If-Match or in the body; the header wins.
template <class Request>
result<Request> with_condition(result<Request> request, const Exchange& exchange) {
    if (!request) return request;
    auto version = if_match(exchange.request);
    if (!version) return tl::unexpected(std::move(version).error());
    if (*version) request->if_version = *version;
    return request;
}

json::Object page_json(json::Array items, const std::optional<MemoryId>& next) {
    json::Object body;
    body["items"] = std::move(items);
    body["nextCursor"] = next ? json::Value(memory::encode_cursor(*next)) : json::Value(nullptr);
    return body;
}

json::Object explanation(const memory::SearchItem& item) {
    json::Object out;
    out["layer"] = memory::name_of(item.memory.layer);
    out["layerPrecedence"] = static_cast<int>(item.memory.layer) + 1;
    out["lexicalRank"] = item.candidate.lexical_rank;
    out["bm25"] = item.candidate.bm25;
    out["coverage"] = item.candidate.coverage;
    out["terms"] = json::Array(item.candidate.terms.begin(), item.candidate.terms.end());
    out["vectorRank"] = item.candidate.vector_rank;
    out["cosine"] =
        item.candidate.cosine ? json::Value(*item.candidate.cosine) : json::Value(nullptr);
    out["fused"] = item.ranked.fused;
    out["decay"] = item.ranked.decay;
    out["importanceFactor"] = item.ranked.importance_factor;
    json::Array folded;
    for (const MemoryId& id : item.ranked.folded) folded.emplace_back(id.str());
    out["folded"] = std::move(folded);
    const std::string words =
        item.candidate.lexical_rank == 0
            ? "no match"
            : fmt::format("#{}, {:.0f} % of the query", item.candidate.lexical_rank,
                          item.candidate.coverage * 100);
    const std::string meaning = item.candidate.vector_rank == 0
                                    ? "no match"
                                    : fmt::format("#{}, cosine {:.2f}", item.candidate.vector_rank,
                                                  item.candidate.cosine.value_or(0));
    out["why"] = fmt::format(
        "score {:.3f} = both rankings {:.3f} (words: {}; meaning: {}) x decay {:.3f} x importance "
        "{:.2f}; on a tie the "
        "{} layer has precedence {} of 7",
        item.ranked.score, item.ranked.fused, words, meaning, item.ranked.decay,
        item.ranked.importance_factor, memory::name_of(item.memory.layer),
        static_cast<int>(item.memory.layer) + 1);
    return out;
}

task<net::HttpResponse> get_memory(MemoryService& service, Exchange exchange) {
    const auto id = id_of(exchange);
    if (!id) co_return error_response(id.error(), exchange.request_id);
    const auto as_of_text = net::query_parameter(exchange.request.query, "asOf");
    if (!as_of_text) co_return error_response(as_of_text.error(), exchange.request_id);
    std::optional<Timestamp> as_of;
    if (*as_of_text) {
        as_of = parse_rfc3339(**as_of_text);
        if (!as_of) {
            co_return error_response(
                Error(Code::kMalformed, "bad_time",
                      "asOf must be an RFC 3339 time such as 2026-01-31T09:30:00Z"),
                exchange.request_id);
        }
    }
    const auto found = co_await service.get(*id, as_of, {exchange.caller, exchange.deadline});
    if (!found) co_return error_response(found.error(), exchange.request_id);
    auto response = json_response(200, memory::to_json(*found));
    response.headers.set("ETag", etag(found->version));
    const auto if_none = exchange.request.headers.find("If-None-Match");
    if (if_none && *if_none == etag(found->version)) {
        response.status = 304;
        response.body.clear();
    }
    co_return response;
}

task<net::HttpResponse> delete_memory(MemoryService& service, Exchange exchange) {
    const auto id = id_of(exchange);
    if (!id) co_return error_response(id.error(), exchange.request_id);
    const auto version = if_match(exchange.request);
    if (!version) co_return error_response(version.error(), exchange.request_id);
    auto claim = claim_of(exchange, nullptr);
    if (!claim) co_return error_response(claim.error(), exchange.request_id);
    WriteContext context{exchange.caller, std::move(*claim), exchange.deadline};
    co_return answer(co_await service.remove({*id, *version}, std::move(context)),
                     exchange.request_id);
}

task<net::HttpResponse> get_history(MemoryService& service, Exchange exchange) {
    const auto id = id_of(exchange);
    if (!id) co_return error_response(id.error(), exchange.request_id);
    const auto versions = co_await service.history(*id, {exchange.caller, exchange.deadline});
    if (!versions) co_return error_response(versions.error(), exchange.request_id);
    json::Array items;
    for (const auto& version : *versions) items.push_back(memory::to_json(version));
    co_return json_response(200, page_json(std::move(items), std::nullopt));
}

task<net::HttpResponse> search_memories(MemoryService& service, Exchange exchange,
                                        std::size_t depth) {
    const auto body = body_object(exchange, depth);
    if (!body) co_return error_response(body.error(), exchange.request_id);
    auto request = memory::read_search(*body, service.limits());
    if (!request) co_return error_response(request.error(), exchange.request_id);
    const bool explain = request->explain;
    const auto found =
        co_await service.search(std::move(*request), {exchange.caller, exchange.deadline});
    if (!found) co_return error_response(found.error(), exchange.request_id);
    auto response = json_response(200, rest::to_json(*found, explain));
    if (found->degraded) response.headers.set("X-Aeterna-Degraded", "vector_store");
    co_return response;
}

task<net::HttpResponse> list_memories(MemoryService& service, Exchange exchange,
                                      std::size_t depth) {
    const auto body = body_object(exchange, depth);
    if (!body) co_return error_response(body.error(), exchange.request_id);
    auto request = memory::read_list(*body, service.limits());
    if (!request) co_return error_response(request.error(), exchange.request_id);
    const auto page =
        co_await service.list(std::move(*request), {exchange.caller, exchange.deadline});
    if (!page) co_return error_response(page.error(), exchange.request_id);
    json::Array items;
    for (const auto& item : page->items) items.push_back(memory::to_json(item));
    co_return json_response(200, page_json(std::move(items), page->next));
}

}  // namespace

json::Object to_json(const memory::SearchAnswer& answer, bool explain) {
    json::Array items;
    for (const memory::SearchItem& item : answer.items) {
        json::Object out;
        out["memory"] = memory::to_json(item.memory);
        out["score"] = item.ranked.score;
        out["highlights"] = json::Array(item.highlights.begin(), item.highlights.end());
        if (explain) out["explain"] = explanation(item);
        items.push_back(std::move(out));
    }
    return {{"items", std::move(items)}, {"total", answer.total}};
}

void add_memory_routes(RestApi& api, MemoryService& service) {
    const std::size_t depth = api.options().json_depth;
    const Route add = [&service, depth](Exchange exchange) {
        return write_with_body(
            std::move(exchange), depth, false,
            [&service](const Exchange&, const json::Object& body) {
                return memory::read_add(body, service.limits());
            },
            [&service](memory::AddRequest request, WriteContext context) {
                return service.add(std::move(request), std::move(context));
            });
    };
    const auto feedback = [&service, depth](Exchange exchange) {
        return write_with_body(
            std::move(exchange), depth, false,
            [](const Exchange& call, const json::Object& body) -> result<memory::FeedbackRequest> {
                std::optional<MemoryId> id;
                if (!call.parameters.empty()) {
                    auto given = id_of(call);
                    if (!given) return tl::unexpected(std::move(given).error());
                    id = *given;
                }
                return with_condition(memory::read_feedback(id, body), call);
            },
            [&service](memory::FeedbackRequest request, WriteContext context) {
                return service.feedback(std::move(request), std::move(context));
            });
    };
    for (const std::string base : {"/api/v1/memory", "/api/v1/memories"}) {
        api.add("POST", base == "/api/v1/memory" ? base + "/add" : base, RouteKind::kWrite, add);
        api.add("POST", base + "/batch", RouteKind::kWrite, [&service, depth](Exchange exchange) {
            return write_with_body(
                std::move(exchange), depth, false,
                [&service](const Exchange&, const json::Object& body) {
                    return memory::read_batch(body, service.limits());
                },
                [&service](std::vector<memory::BatchItem> items, WriteContext context) {
                    return service.batch(std::move(items), std::move(context));
                });
        });
        api.add("GET", base + "/{id}", RouteKind::kRead,
                [&service](Exchange exchange) { return get_memory(service, std::move(exchange)); });
        api.add("DELETE", base + "/{id}", RouteKind::kWrite, [&service](Exchange exchange) {
            return delete_memory(service, std::move(exchange));
        });
        api.add("PUT", base + "/{id}", RouteKind::kWrite, [&service, depth](Exchange exchange) {
            return write_with_body(
                std::move(exchange), depth, false,
                [&service](const Exchange& call,
                           const json::Object& body) -> result<memory::UpdateRequest> {
                    auto id = id_of(call);
                    if (!id) return tl::unexpected(std::move(id).error());
                    return with_condition(memory::read_update(*id, body, service.limits()), call);
                },
                [&service](memory::UpdateRequest request, WriteContext context) {
                    return service.update(std::move(request), std::move(context));
                });
        });
        api.add("GET", base + "/{id}/history", RouteKind::kRead, [&service](Exchange exchange) {
            return get_history(service, std::move(exchange));
        });
        api.add("POST", base + "/search", RouteKind::kRead, [&service, depth](Exchange exchange) {
            return search_memories(service, std::move(exchange), depth);
        });
        api.add("POST", base + "/list", RouteKind::kRead, [&service, depth](Exchange exchange) {
            return list_memories(service, std::move(exchange), depth);
        });
        api.add("POST", base + "/{id}/feedback", RouteKind::kWrite, feedback);
        api.add("POST", base + "/feedback", RouteKind::kWrite, feedback);
        api.add("POST", base + "/{id}/promote", RouteKind::kWrite,
                [&service, depth](Exchange exchange) {
                    return write_with_body(
                        std::move(exchange), depth, false,
                        [&service](const Exchange& call,
                                   const json::Object& body) -> result<memory::PromoteRequest> {
                            auto id = id_of(call);
                            if (!id) return tl::unexpected(std::move(id).error());
                            return memory::read_promote(*id, body, service.limits());
                        },
                        [&service](memory::PromoteRequest request, WriteContext context) {
                            return service.promote(std::move(request), std::move(context));
                        });
                });
    }
    api.add("POST", "/api/v1/sessions", RouteKind::kWrite, [&service, depth](Exchange exchange) {
        return write_with_body(
            std::move(exchange), depth, false,
            [&service](const Exchange&, const json::Object& body) {
                return memory::read_start_session(body, service.limits());
            },
            [&service](memory::StartSessionRequest request, WriteContext context) {
                return service.start_session(std::move(request), std::move(context));
            });
    });
    api.add("POST", "/api/v1/sessions/{id}/end", RouteKind::kWrite,
            [&service, depth](Exchange exchange) {
                return write_with_body(
                    std::move(exchange), depth, true,
                    [&service](const Exchange& call, const json::Object& body) {
                        return memory::read_end_session(call.parameters.front(), body,
                                                        service.limits());
                    },
                    [&service](memory::EndSessionRequest request, WriteContext context) {
                        return service.end_session(std::move(request), std::move(context));
                    });
            });
}

}  // namespace aeterna::rest
