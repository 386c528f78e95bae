#include "cli/offline_keys.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/main.hpp"
#include "cli/output.hpp"
#include "cli/render.hpp"
#include "cli/requests.hpp"
#include "cli/settings_flags.hpp"
#include "cli/table.hpp"
#include "config/load.hpp"
#include "security/principal.hpp"
#include "service/serve.hpp"

namespace aeterna::cli {

namespace {

/// The tenant of the embedded store.
const TenantId& tenant() {
    static const TenantId local = security::loopback_principal().tenant;
    return local;
}

json::Value time_or_null(const std::optional<Timestamp>& at) {
    return at ? json::Value(to_rfc3339(*at)) : json::Value(nullptr);
}

/// The same members as GET /api/v1/keys gives.
json::Object to_json(const security::ApiKey& key) {
    json::Array roles;
    for (const auto role : key.roles) roles.emplace_back(security::name_of(role));
    return {{"id", key.id.str()},
            {"tenant", key.tenant.str()},
            {"subject", key.subject.str()},
            {"roles", std::move(roles)},
            {"label", key.label},
            {"createdAt", to_rfc3339(key.created_at)},
            {"expiresAt", time_or_null(key.expires_at)},
            {"revokedAt", time_or_null(key.revoked_at)}};
}

int show(const Invocation& line, const json::Value& body) {
    print(line.has("--json") ? json::write(body) + "\n" : render(line, body, style_of(1)));
    return kOk;
}

int create(const Invocation& line, const config::Settings& settings) {
    std::vector<security::Role> roles;
    for (const std::string& name : line.all("--role")) {
        // The choices of the command line are the names of the roles.
        if (const auto role = security::role_named(name)) roles.push_back(*role);
    }
    if (roles.empty()) roles.push_back(security::Role::kDeveloper);
    const std::string subject(trim(line.text("--subject")));
    if (subject.empty() || subject.size() > 400)
        return report(Error(Code::kMalformed, "usage", "--subject must have 1 to 400 bytes"));
    std::optional<Timestamp> expires_at;
    if (const auto text = line.one("--expires")) {
        const auto now = SystemClock().now();
        const auto at = time_text("--expires", *text, now, true);
        if (!at) return report(at.error());
        expires_at = parse_rfc3339(*at);
        if (expires_at && *expires_at <= now)
            return report(Error(Code::kMalformed, "usage", "--expires has passed already"));
    }
    const auto minted =
        service::create_key_offline(settings, tenant(), Subject(subject), std::move(roles),
                                    line.one("--label").value_or(""), expires_at);
    if (!minted) return report(minted.error());
    json::Object body = to_json(minted->key);
    body["token"] = minted->token;
    return show(line, body);
}

int list(const Invocation& line, const config::Settings& settings) {
    const auto keys = service::list_keys_offline(settings, tenant());
    if (!keys) return report(keys.error());
    json::Array items;
    for (const auto& key : *keys) items.push_back(to_json(key));
    return show(line, json::Object{{"items", std::move(items)}, {"nextCursor", nullptr}});
}

int revoke(const Invocation& line, const config::Settings& settings) {
    const auto id = KeyId::parse(line.text("ID"));
    if (!id) return report(Error(Code::kMalformed, "usage", "the key's id must be a UUID"));
    const auto done = service::revoke_key_offline(settings, tenant(), *id);
    if (!done) return report(done.error());
    if (!*done) return report(Error(Code::kNotFound, "key_not_found", "there is no such key"));
    return show(line, nullptr);
}

}  // namespace

bool wants_offline_keys(const Invocation& line) {
    return line.command.starts_with("key ") && (line.has("--data-dir") || line.has("--config"));
}

int run_offline_keys(const Invocation& line) {
    const auto loaded = config::load(sources_of(line));
    if (!loaded) return report(loaded.error());
    if (line.command == "key create") return create(line, loaded->settings);
    if (line.command == "key list") return list(line, loaded->settings);
    return revoke(line, loaded->settings);
}

}  // namespace aeterna::cli
