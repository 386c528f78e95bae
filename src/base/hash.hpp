#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace aeterna {

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256 sha256(std::string_view bytes);
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);
/// Same time whatever the content, for secrets.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);
/// From the operating system; throws only when it has none to give.
void fill_random(std::span<std::uint8_t> out);
/// FNV-1a with a final mix; stable across runs and machines (it is stored in index files).
[[nodiscard]] std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed = 0) noexcept;
/// CRC-32C (Castagnoli), for files that must notice damage.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::uint8_t> bytes,
                                   std::uint32_t seed = 0) noexcept;
[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// URL-safe alphabet without padding, as cursors use it. Empty optional: not base64.
[[nodiscard]] std::string base64url_encode(std::string_view bytes);

}  // namespace aeterna
