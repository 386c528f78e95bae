#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace aeterna {

[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;
/// Unicode normalisation form C. Needs valid UTF-8.
[[nodiscard]] std::string to_nfc(std::string_view text);
/// Without white space (Unicode's included) at both ends.
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
[[nodiscard]] std::size_t count_code_points(std::string_view text) noexcept;
/// At most `limit` bytes, never inside a character.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t limit) noexcept;
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;  // ASCII
[[nodiscard]] std::string to_lower_ascii(std::string_view text);
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace aeterna
