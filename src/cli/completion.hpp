#pragma once
#include <string>
#include <string_view>

#include "cli/spec.hpp"

namespace aeterna::cli {

/// A script that completes commands, flags and choices; `shell` is bash, zsh or fish.
[[nodiscard]] std::string completion_script(const CommandSpec& root, std::string_view shell);

}  // namespace aeterna::cli
