#pragma once
#include "cli/parse.hpp"

namespace aeterna::cli {

/// Commands that need no server: serve, mcp, config, completion, version. The exit status.
[[nodiscard]] int run_local(const Invocation& line);
[[nodiscard]] bool is_local(const Invocation& line);

}  // namespace aeterna::cli
