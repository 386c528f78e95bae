#include "base/clock.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace aeterna {

Timestamp SystemClock::now() const {
    return std::chrono::time_point_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now());
}

std::chrono::milliseconds Deadline::left() const {
    const auto span =
        std::chrono::ceil<std::chrono::milliseconds>(moment_ - std::chrono::steady_clock::now());
    return std::max(span, std::chrono::milliseconds(0));
}

std::string to_rfc3339(Timestamp at) {
    const auto days = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{days};
    const auto rest = at - days;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(rest);
    const auto micros = (rest - seconds).count();
    const auto total = seconds.count();
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       total / 3600, total / 60 % 60, total % 60, micros);
}

namespace {

/// Exactly `count` digits at the front of `text`, which is shortened by them.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
    if (text.size() < count) return std::nullopt;
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

bool take_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
    const auto year = take_digits(text, 4);
    if (!year || !take_char(text, "-")) return std::nullopt;
    const auto month = take_digits(text, 2);
    if (!month || !take_char(text, "-")) return std::nullopt;
    const auto day = take_digits(text, 2);
    if (!day || !take_char(text, "Tt ")) return std::nullopt;
    const auto hour = take_digits(text, 2);
    if (!hour || *hour > 23 || !take_char(text, ":")) return std::nullopt;
    const auto minute = take_digits(text, 2);
    if (!minute || *minute > 59 || !take_char(text, ":")) return std::nullopt;
    const auto second = take_digits(text, 2);
    if (!second || *second > 60) return std::nullopt;
    std::int64_t micros = 0;
    if (take_char(text, ".")) {
        std::int64_t unit = 100'000;
        std::size_t digits = 0;
        while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
            micros += unit * (text.front() - '0');
            unit /= 10;
            ++digits;
            text.remove_prefix(1);
        }
        if (digits == 0) return std::nullopt;
    }
    std::int64_t offset_minutes = 0;
    if (text == "Z" || text == "z") {
        text = {};
    } else {
        const bool behind = !text.empty() && text.front() == '-';
        if (!take_char(text, "+-")) return std::nullopt;
        const auto hours = take_digits(text, 2);
        if (!hours || *hours > 23 || !take_char(text, ":")) return std::nullopt;
        const auto minutes = take_digits(text, 2);
        if (!minutes || *minutes > 59) return std::nullopt;
        offset_minutes = (*hours * 60 + *minutes) * (behind ? -1 : 1);
    }
    if (!text.empty()) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    return Timestamp(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(*hour) +
                     std::chrono::minutes(*minute - offset_minutes) +
                     std::chrono::seconds(*second) + std::chrono::microseconds(micros));
}

}  // namespace aeterna
