#include "config/value.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::config {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};
constexpr std::array kByteUnits{Unit{"GiB", 1ULL << 30}, Unit{"MiB", 1ULL << 20},
                                Unit{"KiB", 1ULL << 10}, Unit{"B", 1}, Unit{"", 1}};
constexpr std::array kTimeUnits{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000},
                                Unit{"s", 1000}, Unit{"ms", 1}};

/// "12 KiB" → 12 and "KiB".
std::optional<std::pair<std::uint64_t, std::string_view>> split_number(std::string_view text) {
    text = trim(text);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return std::pair(number, trim(text));
}

template <std::size_t N>
std::optional<std::uint64_t> with_unit(std::string_view text, const std::array<Unit, N>& units) {
    const auto parts = split_number(text);
    if (!parts) return std::nullopt;
    for (const Unit& unit : units) {
        if (unit.name != parts->second) continue;
        if (parts->first > UINT64_MAX / unit.factor) return std::nullopt;
        return parts->first * unit.factor;
    }
    return std::nullopt;
}

std::string shown(std::string_view text) {
    return fmt::format("\"{}\"", cut_utf8(text, 60));
}

}  // namespace

result<std::uint64_t> parse_bytes(std::string_view text) {
    if (const auto bytes = with_unit(text, kByteUnits)) return *bytes;
    return fail(Code::kMalformed,
                fmt::format("{} is not a size such as 65536, 64KiB or 1MiB", shown(text)));
}

std::string format_bytes(std::uint64_t bytes) {
    for (const Unit& unit : kByteUnits) {
        if (unit.factor > 1 && bytes != 0 && bytes % unit.factor == 0)
            return fmt::format("{}{}", bytes / unit.factor, unit.name);
    }
    return fmt::format("{}", bytes);
}

result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto span = with_unit(text, kTimeUnits);
    // A thousand years; also keeps every sum of a deadline far from overflow.
    constexpr std::uint64_t kLongest = 1000ULL * 365 * 86'400'000;
    if (span && *span <= kLongest) return std::chrono::milliseconds(*span);
    return fail(
        Code::kMalformed,
        fmt::format("{} is not a duration such as 500ms, 30s, 10m, 24h or 30d", shown(text)));
}

std::string format_duration(std::chrono::milliseconds span) {
    const auto millis = static_cast<std::uint64_t>(span.count());
    for (const Unit& unit : kTimeUnits) {
        if (millis != 0 && millis % unit.factor == 0)
            return fmt::format("{}{}", millis / unit.factor, unit.name);
    }
    return "0s";
}

result<std::uint64_t> parse_number(std::string_view text) {
    const auto parts = split_number(text);
    if (parts && parts->second.empty()) return parts->first;
    return fail(Code::kMalformed, fmt::format("{} is not a whole number", shown(text)));
}

result<void> check_address(std::string_view text) {
    const auto wrong = [&] {
        return fail(Code::kMalformed,
                    fmt::format("{} is not an address such as 127.0.0.1:8080, [::1]:8080 or :8080 "
                                "(every address); ports go from 0 to 65535",
                                shown(text)));
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong();
    const auto port = split_number(text.substr(colon + 1));
    if (!port || !port->second.empty() || port->first > 65535) return wrong();
    std::string host(text.substr(0, colon));
    if (host.empty() || host == "localhost") return {};
    in6_addr six{};
    in_addr four{};
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
        return inet_pton(AF_INET6, host.c_str(), &six) == 1 ? result<void>{} : wrong();
    }
    return inet_pton(AF_INET, host.c_str(), &four) == 1 ? result<void>{} : wrong();
}

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
    const std::size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
    if (gap > limit) return limit + 1;
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return std::min(row.back(), limit + 1);
}

}  // namespace aeterna::config
