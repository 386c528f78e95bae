#include "storage/embedded/keys.hpp"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace aeterna::storage {

namespace {

using security::ApiKey;

#define AETERNA_KEY_COLUMNS \
    "id, tenant, subject, roles, label, secret_hash, created_at, expires_at, revoked_at"

// A key that was revoked stays revoked.
constexpr const char* kPutKey =
    "INSERT INTO api_key (" AETERNA_KEY_COLUMNS
    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
    "subject = excluded.subject, roles = excluded.roles, label = excluded.label, "
    "secret_hash = excluded.secret_hash, created_at = excluded.created_at, "
    "expires_at = excluded.expires_at, revoked_at = coalesce(revoked_at, excluded.revoked_at) "
    "WHERE tenant = excluded.tenant";
constexpr const char* kFindKey = "SELECT " AETERNA_KEY_COLUMNS " FROM api_key WHERE id = ?";
constexpr const char* kListKeys =
    "SELECT " AETERNA_KEY_COLUMNS " FROM api_key WHERE tenant = ? ORDER BY id DESC";
constexpr const char* kRevokeKey =
    "UPDATE api_key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND tenant = ?";
constexpr const char* kAnyKey =
    "SELECT 1 FROM api_key WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) "
    "LIMIT 1";

std::string encode_roles(const std::vector<security::Role>& roles) {
    boost::json::array names;
    for (const security::Role role : roles) names.emplace_back(name_of(role));
    return boost::json::serialize(names);
}

result<ApiKey> read_key(const Query& row, const std::filesystem::path& file) {
    ApiKey key;
    const auto id = Uuid::from_bytes(row.blob(0));
    const auto hash = row.blob(5);
    boost::json::error_code error;
    const std::string_view role_text = row.text(3);
    const auto names = boost::json::parse({role_text.data(), role_text.size()}, error);
    bool readable = id && hash.size() == key.secret_hash.size() && !error && names.is_array();
    if (readable) {
        for (const auto& name : names.get_array()) {
            const auto role = name.is_string() ? security::role_named(name.get_string())
                                               : std::optional<security::Role>();
            readable = readable && role;
            if (role) key.roles.push_back(*role);
        }
    }
    if (!readable) {
        return fail(Code::kCorrupt, "store_corrupt",
                    fmt::format("an API key in {} does not read back: revoke it and make another "
                                "with aeterna key create",
                                file.string()));
    }
    key.id = {*id};
    key.tenant = TenantId(std::string(row.text(1)));
    key.subject = Subject(std::string(row.text(2)));
    key.label = row.text(4);
    std::ranges::copy(hash, key.secret_hash.begin());
    key.created_at = row.time(6);
    key.expires_at = row.optional_time(7);
    key.revoked_at = row.optional_time(8);
    return key;
}

}  // namespace

result<void> put_key(Connection& connection, const ApiKey& key) {
    const std::string roles = encode_roles(key.roles);
    AETERNA_TRY(connection.query(kPutKey)
                    .bind(key.id.value.view())
                    .bind(key.tenant.str())
                    .bind(key.subject.str())
                    .bind(roles)
                    .bind(key.label)
                    .bind(key.secret_hash)
                    .bind(key.created_at)
                    .bind(key.expires_at)
                    .bind(key.revoked_at)
                    .run());
    if (connection.changes() == 0) {
        return fail(Code::kConflict, "key_exists", "another key has this id: make a new one");
    }
    return {};
}

result<bool> revoke_key(Connection& connection, const TenantId& tenant, const KeyId& id,
                        Timestamp now) {
    AETERNA_TRY(
        connection.query(kRevokeKey).bind(now).bind(id.value.view()).bind(tenant.str()).run());
    return connection.changes() != 0;
}

result<std::optional<ApiKey>> find_key(Connection& connection, const KeyId& id) {
    Query query = connection.query(kFindKey);
    query.bind(id.value.view());
    auto row = query.step();
    if (!row) return tl::unexpected(std::move(row).error());
    if (!*row) return std::nullopt;
    auto key = read_key(query, connection.file());
    if (!key) return tl::unexpected(std::move(key).error());
    return std::move(*key);
}

result<std::vector<ApiKey>> list_keys(Connection& connection, const TenantId& tenant) {
    Query query = connection.query(kListKeys);
    query.bind(tenant.str());
    std::vector<ApiKey> out;
    while (true) {
        auto row = query.step();
        if (!row) return tl::unexpected(std::move(row).error());
        if (!*row) return out;
        auto key = read_key(query, connection.file());
        if (!key) return tl::unexpected(std::move(key).error());
        out.push_back(std::move(*key));
    }
}

result<bool> any_key(Connection& connection, Timestamp now) {
    return connection.query(kAnyKey).bind(now).step();
}

}  // namespace aeterna::storage
