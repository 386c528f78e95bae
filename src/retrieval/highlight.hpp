#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::retrieval {

/// At most `max` pieces of `content`, in its order, that hold most of what was looked for.
/// `looked_for`: Match::terms, or the query itself. A piece has about `width` bytes, ends at words
/// where it can, never splits a character, and shows with "…" where it was cut. Empty when nothing
/// of it occurs.
[[nodiscard]] std::vector<std::string> highlights(std::string_view content,
                                                  std::span<const std::string> looked_for,
                                                  std::size_t max = 3, std::size_t width = 160);

}  // namespace aeterna::retrieval
