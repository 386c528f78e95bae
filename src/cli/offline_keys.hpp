#pragma once
#include "cli/parse.hpp"

namespace aeterna::cli {

/// `aeterna key ...` with --data-dir or --config: on the data folder, while no server runs on it.
[[nodiscard]] bool wants_offline_keys(const Invocation& line);
[[nodiscard]] int run_offline_keys(const Invocation& line);

}  // namespace aeterna::cli
