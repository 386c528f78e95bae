#include "security/api_key.hpp"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

namespace aeterna::security {
namespace {

const Timestamp kNow = *parse_rfc3339("2026-11-23T10:00:00Z");

class OneKey final : public KeyStore {
  public:
    explicit OneKey(ApiKey key) : key_(std::move(key)) {}
    task<result<void>> put_key(ApiKey key, Deadline) override {
        key_ = std::move(key);
        co_return result<void>{};
    }
    task<result<std::optional<ApiKey>>> find_key(KeyId id, Deadline) override {
        co_return id == key_.id ? std::optional(key_) : std::nullopt;
    }
    task<result<std::vector<ApiKey>>> list_keys(TenantId, Deadline) override {
        co_return std::vector{key_};
    }
    task<result<bool>> revoke_key(TenantId, KeyId, Timestamp now, Deadline) override {
        key_.revoked_at = now;
        co_return true;
    }
    task<result<bool>> any_key(Deadline) override { co_return true; }

  private:
    ApiKey key_;
};

result<Principal> try_token(KeyStore& keys, std::string token, Timestamp now = kNow) {
    asio::io_context loop;
    std::optional<result<Principal>> out;
    asio::co_spawn(
        loop, authenticate(keys, std::move(token), now, Deadline::after(std::chrono::seconds(5))),
        [&](std::exception_ptr, result<Principal> done) { out.emplace(std::move(done)); });
    loop.run();
    return std::move(*out);
}

MintedKey mint(std::optional<Timestamp> expires = std::nullopt) {
    return mint_key(TenantId("t"), Subject("ada"), {Role::kDeveloper}, "laptop", kNow, expires);
}

TEST(ApiKey, LetsItsOwnerIn) {
    const MintedKey minted = mint();
    OneKey keys(minted.key);
    const auto who = try_token(keys, minted.token);
    ASSERT_TRUE(who) << who.error().message;
    EXPECT_EQ(who->tenant.str(), "t");
    EXPECT_EQ(who->subject.str(), "ada");
    EXPECT_EQ(minted.token.find(to_hex(minted.key.secret_hash)), std::string::npos);
}

TEST(ApiKey, RefusesEverythingElse) {
    const MintedKey minted = mint(kNow + std::chrono::hours(1));
    OneKey keys(minted.key);
    std::string wrong = minted.token;
    wrong.back() = wrong.back() == 'A' ? 'E' : 'A';
    for (const std::string& token :
         {std::string(), std::string("aet_"), minted.token + "x", wrong, mint().token,
          minted.token.substr(0, 40), "bearer " + minted.token}) {
        const auto who = try_token(keys, token);
        ASSERT_FALSE(who) << token;
        EXPECT_EQ(who.error().code, Code::kUnauthenticated);
    }
    EXPECT_TRUE(try_token(keys, minted.token));
    EXPECT_FALSE(try_token(keys, minted.token, kNow + std::chrono::hours(1)));
    ApiKey revoked = minted.key;
    revoked.revoked_at = kNow;
    OneKey after(revoked);
    EXPECT_NE(try_token(after, minted.token).error().message.find("revoked"), std::string::npos);
}

TEST(Roles, HaveNamesAndOrder) {
    for (int i = 0; i <= static_cast<int>(Role::kAgent); ++i) {
        EXPECT_EQ(role_named(name_of(static_cast<Role>(i))), static_cast<Role>(i));
    }
    EXPECT_FALSE(role_named("Root"));
    const Principal viewer{TenantId("t"), Subject("v"), {Role::kViewer}};
    EXPECT_FALSE(viewer.may_write());
    EXPECT_FALSE(viewer.administers_tenant());
}

}  // namespace
}  // namespace aeterna::security
