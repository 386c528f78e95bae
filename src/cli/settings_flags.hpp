#pragma once
#include "cli/parse.hpp"
#include "config/load.hpp"

namespace aeterna::cli {

/// The sources of this process, with --config and the setting flags of `line`.
[[nodiscard]] config::Sources sources_of(const Invocation& line);

}  // namespace aeterna::cli
