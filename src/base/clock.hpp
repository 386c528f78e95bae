#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aeterna {

/// UTC wall time in whole microseconds, as PostgreSQL's timestamptz keeps it.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using Monotonic = std::chrono::steady_clock::time_point;

class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
  public:
    [[nodiscard]] Timestamp now() const override;
};

/// RFC 3339 in UTC with microseconds: "2026-11-23T20:41:00.000001Z".
[[nodiscard]] std::string to_rfc3339(Timestamp at);
/// Accepts any RFC 3339 offset and fraction (digits past the microsecond are cut); nothing else.
[[nodiscard]] std::optional<Timestamp> parse_rfc3339(std::string_view text);

[[nodiscard]] inline std::int64_t to_micros(Timestamp at) {
    return at.time_since_epoch().count();
}
[[nodiscard]] inline Timestamp from_micros(std::int64_t micros) {
    return Timestamp(std::chrono::microseconds(micros));
}

/// The moment after which nobody waits for the answer. Every function that can wait takes one.
class Deadline {
  public:
    [[nodiscard]] static Deadline after(std::chrono::milliseconds span) {
        return Deadline(std::chrono::steady_clock::now() + span);
    }
    [[nodiscard]] static Deadline at(Monotonic moment) { return Deadline(moment); }

    [[nodiscard]] Monotonic moment() const noexcept { return moment_; }
    [[nodiscard]] bool passed() const { return std::chrono::steady_clock::now() >= moment_; }
    /// Never negative.
    [[nodiscard]] std::chrono::milliseconds left() const;
    [[nodiscard]] Deadline sooner(Deadline other) const {
        return Deadline(moment_ < other.moment_ ? moment_ : other.moment_);
    }

  private:
    explicit Deadline(Monotonic moment) : moment_(moment) {}
    Monotonic moment_;
};

}  // namespace aeterna
