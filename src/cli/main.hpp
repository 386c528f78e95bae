#pragma once

namespace aeterna::cli {

/// Exit statuses of every command; `aeterna --help` shows them.
enum ExitCode : int {
    kOk = 0,
    kFailed = 1,       ///< also: not found, differs, some lines not imported
    kUsage = 2,        ///< the command line or the settings are wrong
    kUnreachable = 3,  ///< no server, or none that answered in time
    kRefused = 4,      ///< the server wants another token
};

/// The whole program; the exit status of the process. Throws nothing.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace aeterna::cli
