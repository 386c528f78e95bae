#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

/// The texts in which settings are written, wherever they come from. Errors are kMalformed or
/// kRuleViolation with a message that completes "server.listen: ...".
namespace aeterna::config {

/// "65536", "64KiB", "1 MiB", "2GiB"; powers of 1024 only, so that nobody has to guess.
[[nodiscard]] result<std::uint64_t> parse_bytes(std::string_view text);
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

/// "500ms", "30s", "10m", "24h", "30d"; a number without its unit is refused.
[[nodiscard]] result<std::chrono::milliseconds> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(std::chrono::milliseconds span);

/// A plain decimal number.
[[nodiscard]] result<std::uint64_t> parse_number(std::string_view text);

/// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" (every address).
[[nodiscard]] result<void> check_address(std::string_view text);

/// How many single-character edits lie between two names; at most `limit` + 1.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

}  // namespace aeterna::config
