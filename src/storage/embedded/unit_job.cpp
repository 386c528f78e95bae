#include "storage/embedded/unit_job.hpp"

#include <utility>
#include <vector>

namespace aeterna::storage {

result<bool> UnitJob::replay(WriteTransaction& transaction) {
    auto earlier = transaction.recall(work_.tenant, *work_.claim);
    if (!earlier) return tl::unexpected(std::move(earlier).error());
    if (!*earlier) return false;
    if ((*earlier)->fingerprint == work_.claim->fingerprint) {
        answer_ = std::move((*earlier)->committed);
    } else {
        answer_ = fail(Code::kRuleViolation, "idempotency_key_reused",
                       "this Idempotency-Key was used for another request: send each request with "
                       "a new key, and repeat a request only unchanged");
    }
    return true;
}

result<bool> UnitJob::apply(WriteTransaction& transaction) {
    if (work_.claim) {
        auto replayed = replay(transaction);
        if (!replayed || *replayed) return replayed;
    }
    std::vector<result<memory::Outcome>> outcomes;
    outcomes.reserve(work_.commands.size());
    for (const memory::Command& command : work_.commands) {
        auto seen = transaction.look(work_.tenant, command.reads);
        if (!seen) return tl::unexpected(std::move(seen).error());
        auto effect = command.decide(*seen);
        if (!effect) {
            outcomes.emplace_back(tl::unexpected(std::move(effect).error()));
            continue;
        }
        auto applied = transaction.apply(work_.tenant, *effect, work_.now);
        if (applied) {
            outcomes.emplace_back(std::move(effect->outcome));
        } else if (is_storage_failure(applied.error())) {
            return tl::unexpected(std::move(applied).error());
        } else {
            outcomes.emplace_back(tl::unexpected(std::move(applied).error()));
        }
    }
    auto reply = work_.finish(outcomes);
    if (!reply) {
        answer_ = tl::unexpected(std::move(reply).error());
        return false;
    }
    if (work_.claim && reply->status >= 200 && reply->status < 300) {
        auto remembered = transaction.remember(work_.tenant, *work_.claim, work_.now, *reply);
        if (!remembered) return tl::unexpected(std::move(remembered).error());
    }
    memory::Committed committed;
    committed.reply = std::move(*reply);
    committed.position = transaction.position();
    answer_ = std::move(committed);
    return true;
}

bool UnitJob::resolve(WriteTransaction& transaction) {
    if (!work_.claim) return false;
    const auto found = replay(transaction);
    return found && *found;
}

void UnitJob::done(std::optional<Error> failure) noexcept {
    if (failure) answer_ = fail(std::move(*failure));
    complete_(std::move(answer_));
}

}  // namespace aeterna::storage
