#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/error.hpp"

namespace aeterna::cli {

/// How one attempt ended: with an answer's status, or with the code of a broken exchange.
struct AttemptEnd {
    std::optional<int> status;
    std::optional<std::chrono::milliseconds> retry_after;  ///< of a 429 or 503
    std::optional<Code> broken;
};

/// Decides after each attempt whether to try once more. A connection that was never there is given
/// up soon, for then there is no server; one that was there is tried again until the deadline.
class Retry {
  public:
    enum class Next : std::uint8_t { kDone, kAgain };
    struct Step {
        Next next = Next::kDone;
        std::chrono::milliseconds wait{0};
    };

    /// `repeatable`: sending the request twice does no harm.
    explicit Retry(bool repeatable) : repeatable_(repeatable) {}

    /// `left` until the deadline; `random` from 0 to 1 spreads the waits.
    [[nodiscard]] Step step(const AttemptEnd& end, std::chrono::milliseconds left, double random);

  private:
    [[nodiscard]] bool worth_it(const AttemptEnd& end);

    bool repeatable_;
    bool reached_ = false;
    int attempts_ = 0;
};

}  // namespace aeterna::cli
