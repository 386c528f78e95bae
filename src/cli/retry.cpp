#include "cli/retry.hpp"

#include <algorithm>

namespace aeterna::cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{100};
constexpr milliseconds kLongestWait{2'000};
constexpr int kAttemptsWithoutServer = 3;

}  // namespace

bool Retry::worth_it(const AttemptEnd& end) {
    if (end.status) {
        reached_ = true;
        // Refused before anything happened: safe to repeat whatever it was. A gateway's 502 or 504
        // says nothing about the server behind it.
        if (*end.status == 429 || *end.status == 503) return true;
        return repeatable_ && (*end.status == 502 || *end.status == 504);
    }
    switch (end.broken.value_or(Code::kInternal)) {
        case Code::kUnavailable:
            return reached_ || attempts_ < kAttemptsWithoutServer;
        case Code::kOutcomeUnknown:
            reached_ = true;
            return repeatable_;
        default:
            return false;
    }
}

Retry::Step Retry::step(const AttemptEnd& end, milliseconds left, double random) {
    ++attempts_;
    if (!worth_it(end)) return {};
    const int doublings = std::min(attempts_ - 1, 10);
    const milliseconds ceiling = std::min(kLongestWait, kFirstWait * (1 << doublings));
    milliseconds wait(static_cast<milliseconds::rep>(static_cast<double>(ceiling.count()) *
                                                     (0.5 + 0.5 * random)));
    if (end.retry_after) wait = std::max(wait, *end.retry_after);
    if (wait >= left) return {};
    return {Next::kAgain, wait};
}

}  // namespace aeterna::cli
