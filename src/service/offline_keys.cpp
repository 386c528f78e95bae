#include "service/serve.hpp"
#include "service/wait.hpp"
#include "storage/embedded/sqlite_store.hpp"

namespace aeterna::service {

namespace {

constexpr std::chrono::milliseconds kDeadline{10'000};

/// Opens the store of the data folder for one call and closes it again.
template <class T>
result<T> with_store(const config::Settings& settings,
                     const std::function<task<result<T>>(security::KeyStore&, Deadline)>& use) {
    Runtime runtime({1, 1});
    storage::SqliteStore::Options options;
    options.data_dir = settings.data.dir;
    auto store = storage::SqliteStore::open(options, runtime, nullptr);
    if (!store) return tl::unexpected(std::move(store).error());
    auto out = run_and_wait(runtime, use(**store, Deadline::after(kDeadline)));
    (*store)->close();
    runtime.stop();
    return out;
}

}  // namespace

result<security::MintedKey> create_key_offline(const config::Settings& settings, TenantId tenant,
                                               Subject subject, std::vector<security::Role> roles,
                                               std::string label,
                                               std::optional<Timestamp> expires_at) {
    auto minted = security::mint_key(std::move(tenant), std::move(subject), std::move(roles),
                                     std::move(label), SystemClock().now(), expires_at);
    auto stored =
        with_store<void>(settings, [&minted](security::KeyStore& keys, Deadline deadline) {
            return keys.put_key(minted.key, deadline);
        });
    if (!stored) return tl::unexpected(std::move(stored).error());
    return minted;
}

result<std::vector<security::ApiKey>> list_keys_offline(const config::Settings& settings,
                                                        TenantId tenant) {
    return with_store<std::vector<security::ApiKey>>(
        settings, [&tenant](security::KeyStore& keys, Deadline deadline) {
            return keys.list_keys(tenant, deadline);
        });
}

result<bool> revoke_key_offline(const config::Settings& settings, TenantId tenant, KeyId id) {
    return with_store<bool>(settings, [&](security::KeyStore& keys, Deadline deadline) {
        return keys.revoke_key(tenant, id, SystemClock().now(), deadline);
    });
}

}  // namespace aeterna::service
