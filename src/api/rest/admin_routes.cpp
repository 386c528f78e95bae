#include "api/rest/admin_routes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "api/rest/reply.hpp"
#include "base/version.hpp"
#include "memory/codec.hpp"

namespace aeterna::rest {

namespace {

result<void> need_tenant_admin(const security::Principal& caller) {
    if (caller.administers_tenant()) return {};
    return fail(
        Code::kForbidden, "needs_tenant_admin",
        fmt::format("this needs the role TenantAdmin, which {} has not", caller.subject.str()));
}

std::string_view name_of(memory::IndexStatus::State state) {
    switch (state) {
        case memory::IndexStatus::State::kReady:
            return "ready";
        case memory::IndexStatus::State::kRebuilding:
            return "rebuilding";
        case memory::IndexStatus::State::kDamaged:
            return "damaged";
    }
    return "damaged";
}

json::Object to_json(const memory::IndexStatus& status) {
    return {{"state", name_of(status.state)}, {"position", status.position},
            {"memories", status.memories},    {"withoutVector", status.without_vector},
            {"bytes", status.bytes},          {"progress", status.progress}};
}

task<net::HttpResponse> rebuild_index(memory::MemoryIndex& index, Exchange exchange) {
    if (auto allowed = need_tenant_admin(exchange.caller); !allowed) {
        co_return error_response(allowed.error(), exchange.request_id);
    }
    const auto status = co_await index.rebuild(exchange.deadline);
    if (!status) co_return error_response(status.error(), exchange.request_id);
    co_return json_response(200, to_json(*status));
}

task<net::HttpResponse> verify_index(memory::MemoryIndex& index, Exchange exchange) {
    if (auto allowed = need_tenant_admin(exchange.caller); !allowed) {
        co_return error_response(allowed.error(), exchange.request_id);
    }
    const auto found = co_await index.verify(exchange.deadline);
    if (!found) co_return error_response(found.error(), exchange.request_id);
    json::Array examples;
    for (const MemoryId& id : found->examples) examples.emplace_back(id.str());
    co_return json_response(
        200, json::Object{{"equal", found->missing + found->stale + found->extra == 0},
                          {"compared", found->compared},
                          {"missing", found->missing},
                          {"stale", found->stale},
                          {"extra", found->extra},
                          {"examples", std::move(examples)}});
}

struct StatusParts {
    ServerFacts facts;
    memory::MemoryStore& store;
    memory::MemoryIndex& index;
    const memory::Embedder& embedder;
    const Clock& clock;
};

task<net::HttpResponse> show_status(std::shared_ptr<const StatusParts> parts, Exchange exchange) {
    const auto store = co_await parts->store.status(exchange.deadline);
    const auto index = co_await parts->index.status(exchange.deadline);
    json::Object body;
    body["version"] = kVersion;
    body["roles"] = json::Array(parts->facts.roles.begin(), parts->facts.roles.end());
    body["startedAt"] = to_rfc3339(parts->facts.started_at);
    body["uptimeSeconds"] = std::chrono::duration_cast<std::chrono::seconds>(
                                parts->clock.now() - parts->facts.started_at)
                                .count();
    body["tenant"] = exchange.caller.tenant.str();
    body["subject"] = exchange.caller.subject.str();
    if (store) {
        json::Object inner{{"engine", "sqlite"},
                           {"memories", store->memories},
                           {"position", store->position},
                           {"bytes", store->bytes}};
        inner["trouble"] =
            store->trouble ? json::Value(memory::to_json(*store->trouble)) : json::Value(nullptr);
        body["store"] = std::move(inner);
    } else {
        body["store"] = {{"engine", "sqlite"}, {"trouble", memory::to_json(store.error())}};
    }
    body["index"] = index ? to_json(*index) : memory::to_json(index.error());
    body["embedder"] = {{"name", parts->embedder.identity().name},
                        {"dimensions", parts->embedder.identity().dimensions}};
    co_return json_response(200, body);
}

task<net::HttpResponse> show_routes(const RestApi& api) {
    json::Array routes;
    for (const auto& [method, pattern] : api.routes())
        routes.emplace_back(fmt::format("{} {}", method, pattern));
    co_return json_response(200,
                            json::Object{{"version", kVersion}, {"routes", std::move(routes)}});
}

task<net::HttpResponse> list_keys(security::KeyStore& keys, Exchange exchange) {
    if (auto allowed = need_tenant_admin(exchange.caller); !allowed) {
        co_return error_response(allowed.error(), exchange.request_id);
    }
    const auto found = co_await keys.list_keys(exchange.caller.tenant, exchange.deadline);
    if (!found) co_return error_response(found.error(), exchange.request_id);
    json::Array items;
    for (const auto& key : *found) items.push_back(rest::to_json(key));
    co_return json_response(200,
                            json::Object{{"items", std::move(items)}, {"nextCursor", nullptr}});
}

task<net::HttpResponse> create_key(security::KeyStore& keys, const Clock& clock, std::size_t depth,
                                   Exchange exchange) {
    if (auto allowed = need_tenant_admin(exchange.caller); !allowed) {
        co_return error_response(allowed.error(), exchange.request_id);
    }
    const auto body = body_object(exchange, depth);
    if (!body) co_return error_response(body.error(), exchange.request_id);
    auto minted = read_and_mint(*body, exchange.caller, clock.now());
    if (!minted) co_return error_response(minted.error(), exchange.request_id);
    const auto stored = co_await keys.put_key(minted->key, exchange.deadline);
    if (!stored) co_return error_response(stored.error(), exchange.request_id);
    json::Object answer = rest::to_json(minted->key);
    answer["token"] = minted->token;
    auto response = json_response(201, answer);
    response.headers.set("Cache-Control", "no-store");
    co_return response;
}

task<net::HttpResponse> revoke_key(security::KeyStore& keys, const Clock& clock,
                                   Exchange exchange) {
    if (auto allowed = need_tenant_admin(exchange.caller); !allowed) {
        co_return error_response(allowed.error(), exchange.request_id);
    }
    const auto id = KeyId::parse(exchange.parameters.front());
    if (!id) {
        co_return error_response(
            Error(Code::kMalformed, "bad_id", "the id in the path must be a UUID"),
            exchange.request_id);
    }
    const auto done =
        co_await keys.revoke_key(exchange.caller.tenant, *id, clock.now(), exchange.deadline);
    if (!done) co_return error_response(done.error(), exchange.request_id);
    if (!*done) {
        co_return error_response(Error(Code::kNotFound, "key_not_found", "there is no such key"),
                                 exchange.request_id);
    }
    net::HttpResponse response;
    response.status = 204;
    co_return response;
}

}  // namespace

json::Object to_json(const security::ApiKey& key) {
    json::Array roles;
    for (const auto role : key.roles) roles.emplace_back(security::name_of(role));
    const auto time = [](const std::optional<Timestamp>& at) {
        return at ? json::Value(to_rfc3339(*at)) : json::Value(nullptr);
    };
    return {{"id", key.id.str()},
            {"tenant", key.tenant.str()},
            {"subject", key.subject.str()},
            {"roles", std::move(roles)},
            {"label", key.label},
            {"createdAt", to_rfc3339(key.created_at)},
            {"expiresAt", time(key.expires_at)},
            {"revokedAt", time(key.revoked_at)}};
}

result<security::MintedKey> read_and_mint(const json::Object& body,
                                          const security::Principal& caller, Timestamp now) {
    json::Reader reader(body, "");
    const std::string subject = reader.required_text("subject", 400);
    if (!reader.error() && subject.empty()) {
        reader.refuse(Code::kRuleViolation, "bad_identifier", "subject must not be empty");
    }
    const std::string label = reader.text("label", 400).value_or("");
    const auto expires_at = reader.time("expiresAt");
    std::vector<security::Role> roles;
    for (const std::string& name : reader.texts("roles", 8, 100)) {
        const auto role = security::role_named(name);
        if (!role) {
            reader.refuse(Code::kRuleViolation, "invalid_role",
                          "roles may hold PlatformAdmin, TenantAdmin, Admin, Architect, TechLead, "
                          "Developer, Viewer, "
                          "Agent");
            break;
        }
        // Lower values are stronger; nobody hands out more than they hold.
        if (std::ranges::none_of(caller.roles, [&](security::Role own) { return own <= *role; })) {
            reader.refuse(Code::kForbidden, "role_too_strong",
                          fmt::format("you may not give the role {}", name));
        }
        roles.push_back(*role);
    }
    AETERNA_TRY(reader.finish());
    if (expires_at && *expires_at <= now) {
        return fail(Code::kRuleViolation, "already_expired", "expiresAt has passed");
    }
    if (roles.empty()) roles.push_back(security::Role::kDeveloper);
    return security::mint_key(caller.tenant, Subject(subject), std::move(roles), label, now,
                              expires_at);
}

void add_status_routes(RestApi& api, ServerFacts facts, memory::MemoryStore& store,
                       memory::MemoryIndex& index, const memory::Embedder& embedder,
                       const Clock& clock) {
    const auto parts = std::make_shared<const StatusParts>(
        StatusParts{std::move(facts), store, index, embedder, clock});
    api.add("GET", "/api/v1/status", RouteKind::kRead,
            [parts](Exchange exchange) { return show_status(parts, std::move(exchange)); });
    api.add("GET", "/api/v1", RouteKind::kRead, [&api](Exchange) { return show_routes(api); });
}

void add_index_routes(RestApi& api, memory::MemoryIndex& index) {
    api.add("POST", "/api/v1/index/rebuild", RouteKind::kWrite,
            [&index](Exchange exchange) { return rebuild_index(index, std::move(exchange)); });
    api.add("GET", "/api/v1/index/verify", RouteKind::kWrite,
            [&index](Exchange exchange) { return verify_index(index, std::move(exchange)); });
}

void add_key_routes(RestApi& api, security::KeyStore& keys, const Clock& clock) {
    const std::size_t depth = api.options().json_depth;
    api.add("GET", "/api/v1/keys", RouteKind::kRead,
            [&keys](Exchange exchange) { return list_keys(keys, std::move(exchange)); });
    api.add("POST", "/api/v1/keys", RouteKind::kWrite, [&keys, &clock, depth](Exchange exchange) {
        return create_key(keys, clock, depth, std::move(exchange));
    });
    api.add("POST", "/api/v1/keys/{id}/revoke", RouteKind::kWrite,
            [&keys, &clock](Exchange exchange) {
                return revoke_key(keys, clock, std::move(exchange));
            });
}

}  // namespace aeterna::rest
