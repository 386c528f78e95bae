#include "cli/main.hpp"

#include <csignal>
#include <exception>
#include <string>
#include <variant>
#include <vector>

#include "cli/help.hpp"
#include "cli/local.hpp"
#include "cli/output.hpp"
#include "cli/parse.hpp"
#include "cli/remote.hpp"
#include "cli/spec.hpp"

namespace aeterna::cli {

namespace {

int run_words(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    if (!parsed) return report(parsed.error());
    if (const auto* help = std::get_if<HelpWanted>(&*parsed)) {
        const CommandSpec* command = find_command(help->command);
        print(help_text(*command, help->command, style_of(1)));
        return kOk;
    }
    const auto& line = std::get<Invocation>(*parsed);
    return is_local(line) ? run_local(line) : run_remote(line);
}

}  // namespace

int run(int argc, char** argv) {
    // A closed pipe is seen where it is written to.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        return run_words({argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const std::exception& error) {
        return report(Error(Code::kInternal, std::string("this is a bug: ") + error.what()));
    }
}

}  // namespace aeterna::cli
