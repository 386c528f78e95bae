#include "security/api_key.hpp"

#include <array>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::security {

namespace {
constexpr std::string_view kPrefix = "aet_";
constexpr std::size_t kSecretBytes = 32;
}  // namespace

MintedKey mint_key(TenantId tenant, Subject subject, std::vector<Role> roles, std::string label,
                   Timestamp now, std::optional<Timestamp> expires_at) {
    std::array<std::uint8_t, kSecretBytes> secret{};
    fill_random(secret);
    const std::string text = base64url_encode(
        std::string_view(reinterpret_cast<const char*>(secret.data()), secret.size()));
    MintedKey out;
    out.key = {KeyId{system_uuid_source().next(now)},
               std::move(tenant),
               std::move(subject),
               std::move(roles),
               std::move(label),
               sha256(text),
               now,
               expires_at,
               std::nullopt};
    out.token = fmt::format("{}{}_{}", kPrefix, to_hex(out.key.id.value.bytes), text);
    return out;
}

std::optional<PresentedToken> parse_token(std::string_view token) {
    if (!token.starts_with(kPrefix)) return std::nullopt;
    token.remove_prefix(kPrefix.size());
    if (token.size() < 34 || token[32] != '_') return std::nullopt;
    const std::string_view hex = token.substr(0, 32);
    const std::string_view secret = token.substr(33);
    const auto id =
        KeyId::parse(fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4),
                                 hex.substr(12, 4), hex.substr(16, 4), hex.substr(20, 12)));
    const auto raw = base64url_decode(secret);
    if (!id || !raw || raw->size() != kSecretBytes) return std::nullopt;
    return PresentedToken{*id, sha256(secret)};
}

task<result<Principal>> authenticate(KeyStore& keys, std::string token, Timestamp now,
                                     Deadline deadline) {
    const auto refuse = [](std::string_view why) {
        return fail(Code::kUnauthenticated, "bad_token",
                    fmt::format("the token {}; make one with: aeterna key create", why));
    };
    const auto presented = parse_token(token);
    if (!presented) co_return refuse("does not have the form aet_<id>_<secret>");
    auto found = co_await keys.find_key(presented->id, deadline);
    if (!found) co_return tl::unexpected(std::move(found).error());
    const auto as_text = [](const Sha256& hash) {
        return std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size());
    };
    // One text for an unknown key and a wrong secret: a guesser learns nothing.
    if (!*found ||
        !equal_in_constant_time(as_text((*found)->secret_hash), as_text(presented->secret_hash))) {
        co_return refuse("is not known");
    }
    const ApiKey& key = **found;
    if (key.revoked_at)
        co_return refuse(fmt::format("was revoked at {}", to_rfc3339(*key.revoked_at)));
    if (key.expires_at && *key.expires_at <= now) {
        co_return refuse(fmt::format("expired at {}", to_rfc3339(*key.expires_at)));
    }
    co_return Principal{key.tenant, key.subject, key.roles};
}

}  // namespace aeterna::security
