#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::cli {

/// Columns that a text takes on a terminal: East Asian wide characters and emoji two, combining
/// marks none. Needs valid UTF-8 without control characters.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// Text from elsewhere made safe to print: control characters (which could move the cursor, set the
/// title, hide text) and bad UTF-8 become visible; line feeds stay when `lines`, else become
/// spaces.
[[nodiscard]] std::string printable(std::string_view text, bool lines = false);

/// At most `width` columns; cut text ends in "…".
[[nodiscard]] std::string ellipsis(std::string_view text, std::size_t width);

/// Broken at spaces, words longer than a line inside; at most `max_lines` lines (0: all), the last
/// with "…" when there was more.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, std::size_t width,
                                            std::size_t max_lines = 0);

/// Spaces added up to `width` columns.
[[nodiscard]] std::string padded(std::string text, std::size_t width, bool right = false);

}  // namespace aeterna::cli
