#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "runtime/task.hpp"
#include "security/principal.hpp"

namespace aeterna::security {

/// A key as it is kept: the secret only as its SHA-256 (it has 256 random bits, so no slow hash is
/// needed).
struct ApiKey {
    KeyId id;
    TenantId tenant;
    Subject subject;
    std::vector<Role> roles;
    std::string label;
    Sha256 secret_hash{};
    Timestamp created_at{};
    std::optional<Timestamp> expires_at;
    std::optional<Timestamp> revoked_at;
    bool operator==(const ApiKey&) const = default;
};

/// Where keys are kept. Implemented by the stores.
class KeyStore {
  public:
    virtual ~KeyStore() = default;
    virtual task<result<void>> put_key(ApiKey key, Deadline deadline) = 0;
    virtual task<result<std::optional<ApiKey>>> find_key(KeyId id, Deadline deadline) = 0;
    /// All of the tenant, newest first, revoked ones included.
    virtual task<result<std::vector<ApiKey>>> list_keys(TenantId tenant, Deadline deadline) = 0;
    /// False: no such key in this tenant. Revoking twice keeps the first time.
    virtual task<result<bool>> revoke_key(TenantId tenant, KeyId id, Timestamp now,
                                          Deadline deadline) = 0;
    virtual task<result<bool>> any_key(Deadline deadline) = 0;  ///< is there a usable key at all
};

struct MintedKey {
    ApiKey key;
    std::string token;  ///< shown once: "aet_<id>_<secret>"
};
[[nodiscard]] MintedKey mint_key(TenantId tenant, Subject subject, std::vector<Role> roles,
                                 std::string label, Timestamp now,
                                 std::optional<Timestamp> expires_at);

struct PresentedToken {
    KeyId id;
    Sha256 secret_hash{};
};
/// Empty: not the shape of one of our tokens.
[[nodiscard]] std::optional<PresentedToken> parse_token(std::string_view token);
/// The principal behind a token, or kUnauthenticated with a text that says why (unknown, revoked,
/// expired).
[[nodiscard]] task<result<Principal>> authenticate(KeyStore& keys, std::string token, Timestamp now,
                                                   Deadline deadline);

}  // namespace aeterna::security
