#include "cli/completion.hpp"

#include <functional>

#include <fmt/format.h>

namespace aeterna::cli {

namespace {

using Visit = std::function<void(const CommandSpec&, const std::string& path)>;

void walk(const CommandSpec& command, const std::string& path, const Visit& visit) {
    visit(command, path);
    for (const CommandSpec& child : command.children) walk(child, path + " " + child.name, visit);
}

/// What may come next: commands, choices of a positional, flags.
std::vector<std::string> words_after(const CommandSpec& command) {
    std::vector<std::string> out;
    for (const auto& child : command.children) out.push_back(child.name);
    for (const auto& option : command.options) {
        if (option.positional()) {
            out.insert(out.end(), option.choices.begin(), option.choices.end());
        } else {
            out.push_back(option.name);
        }
    }
    out.emplace_back("--help");
    return out;
}

bool takes_file(const OptionSpec& option) {
    return option.value == "FILE" || option.value == "DIR" || option.value == "folder";
}

/// bash and zsh share the walk over the words; only the ends differ.
std::string walking_script(const CommandSpec& root, bool zsh) {
    std::string known;
    std::string next;
    std::string values;
    walk(root, root.name, [&](const CommandSpec& command, const std::string& path) {
        for (const auto& child : command.children)
            known += fmt::format("{}\"{} {}\"", known.empty() ? "" : "|", path, child.name);
        next += fmt::format("        \"{}\") next=\"{}\" ;;\n", path,
                            fmt::join(words_after(command), " "));
        for (const auto& option : command.options) {
            if (option.positional() || option.value.empty()) continue;
            // An option with a free value completes to nothing, one with a path to files.
            const std::string list = fmt::format("{}", fmt::join(option.choices, " "));
            values +=
                fmt::format("        \"{} {}\") {} ;;\n", path, option.name,
                            takes_file(option) ? "files=1" : fmt::format("next=\"{}\"", list));
        }
    });
    std::string out;
    if (zsh) {
        out +=
            "#compdef aeterna\n"
            "_aeterna() {\n"
            "    _aeterna_words \"${words[CURRENT-1]}\" \"${(@)words[2,CURRENT-1]}\"\n"
            "}\n"
            "_aeterna_words() {\n"
            "    local prev=\"$1\" at=\"aeterna\" word next=\"\" files=\"\"\n"
            "    shift\n"
            "    for word in \"$@\"; do\n";
    } else {
        out +=
            "# bash completion for aeterna\n"
            "_aeterna() {\n"
            "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
            "    local at=\"aeterna\" word next=\"\" files=\"\"\n"
            "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n";
    }
    out += fmt::format(
        "        case \"$at $word\" in\n"
        "        {}) at=\"$at $word\" ;;\n"
        "        esac\n"
        "    done\n"
        "    case \"$at $prev\" in\n"
        "{}"
        "    *)\n"
        "        case \"$at\" in\n"
        "{}"
        "        esac\n"
        "        ;;\n"
        "    esac\n",
        known, values, next);
    if (zsh) {
        out +=
            "    if [[ -n \"$files\" ]]; then _files; else compadd -- ${=next}; fi\n"
            "}\n"
            "if [[ \"$funcstack[1]\" == _aeterna ]]; then _aeterna \"$@\"; else compdef _aeterna "
            "aeterna; fi\n";
    } else {
        out +=
            "    if [[ -n \"$files\" ]]; then\n"
            "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
            "    else\n"
            "        mapfile -t COMPREPLY < <(compgen -W \"$next\" -- \"$cur\")\n"
            "    fi\n"
            "}\n"
            "complete -o default -F _aeterna aeterna\n";
    }
    return out;
}

std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_script(const CommandSpec& root) {
    // __aeterna_at PATH: the words so far, without options, are exactly PATH or begin with it.
    std::string out =
        "# fish completion for aeterna\n"
        "function __aeterna_at\n"
        "    set -l words (commandline -opc)\n"
        "    set -e words[1]\n"
        "    set -l plain\n"
        "    for word in $words\n"
        "        string match -q -- '-*' $word; or set -a plain $word\n"
        "    end\n"
        "    if test \"$argv[1]\" = exactly\n"
        "        test \"$plain\" = \"$argv[2]\"\n"
        "    else\n"
        "        string match -q -- \"$argv[2]*\" \"$plain\"\n"
        "    end\n"
        "end\n"
        "complete -c aeterna -f\n";
    walk(root, "", [&](const CommandSpec& command, const std::string& path) {
        const std::string at = path.empty() ? "" : path.substr(1);
        for (const auto& child : command.children) {
            out += fmt::format("complete -c aeterna -n \"__aeterna_at exactly '{}'\" -a {} -d {}\n",
                               at, child.name, fish_quoted(child.summary));
        }
        for (const auto& option : command.options) {
            if (option.positional()) {
                if (!option.choices.empty()) {
                    out +=
                        fmt::format("complete -c aeterna -n \"__aeterna_at under '{}'\" -a '{}'\n",
                                    at, fmt::join(option.choices, " "));
                } else if (takes_file(option)) {
                    out += fmt::format("complete -c aeterna -n \"__aeterna_at exactly '{}'\" -F\n",
                                       at);
                }
                continue;
            }
            std::string line =
                fmt::format("complete -c aeterna -n \"__aeterna_at under '{}'\" -l {}", at,
                            option.name.substr(2));
            if (!option.brief.empty()) line += " -s " + option.brief.substr(1);
            if (!option.value.empty()) line += takes_file(option) ? " -r -F" : " -x";
            if (!option.choices.empty())
                line += fmt::format(" -a '{}'", fmt::join(option.choices, " "));
            out += line + " -d " + fish_quoted(option.help) + "\n";
        }
    });
    return out;
}

}  // namespace

std::string completion_script(const CommandSpec& root, std::string_view shell) {
    if (shell == "fish") return fish_script(root);
    return walking_script(root, shell == "zsh");
}

}  // namespace aeterna::cli
