#pragma once
#include <string>

#include "cli/spec.hpp"
#include "cli/table.hpp"

namespace aeterna::cli {

/// Usage, description, commands, options, examples; `path` is the command's ("memory add").
[[nodiscard]] std::string help_text(const CommandSpec& command, const std::string& path,
                                    const Style& style);

}  // namespace aeterna::cli
