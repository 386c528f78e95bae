#pragma once
#include "base/result.hpp"
#include "cli/client.hpp"
#include "cli/parse.hpp"

namespace aeterna::cli {

/// Commands that talk to a server; the exit status.
[[nodiscard]] int run_remote(const Invocation& line);

/// From --url and --timeout, AETERNA_URL, AETERNA_TOKEN and AETERNA_TIMEOUT; `timeout` when nobody
/// says otherwise.
[[nodiscard]] result<Server> server_of(const Invocation& line, std::chrono::milliseconds timeout);
/// All of standard input, for a text given as "-"; kTooLarge past 16 MiB.
[[nodiscard]] result<std::string> read_standard_input();

}  // namespace aeterna::cli
