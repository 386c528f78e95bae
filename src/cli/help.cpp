#include "cli/help.hpp"

#include <algorithm>

#include "cli/width.hpp"

namespace aeterna::cli {

namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kNames = 26;  ///< a longer name has its help on the next line

std::string usage_line(const CommandSpec& command, const std::string& path) {
    std::string out = "aeterna" + (path.empty() ? "" : " " + path);
    if (!command.children.empty()) return out + " COMMAND";
    for (const OptionSpec& option : command.options) {
        if (!option.positional()) continue;
        const std::string name = option.name + (option.many ? "..." : "");
        out += option.required ? " " + name : " [" + name + "]";
    }
    const bool flags = std::ranges::any_of(command.options,
                                           [](const auto& option) { return !option.positional(); });
    return flags ? out + " [options]" : out;
}

void entry(std::string& out, const Style& style, const std::string& name, std::string_view help) {
    const std::string left = std::string(kIndent, ' ') + name;
    bool beside = display_width(left) < kIndent + kNames;
    if (!beside) out += left + "\n";
    for (const std::string& line : wrap(help, style.width - kIndent - kNames)) {
        out += (beside ? padded(left, kIndent + kNames) : std::string(kIndent + kNames, ' ')) +
               line + "\n";
        beside = false;
    }
}

std::string option_name(const OptionSpec& option) {
    std::string out = option.brief.empty() ? "" : option.brief + ", ";
    out += option.name;
    if (option.positional()) return out;
    if (!option.choices.empty() && option.choices.size() <= 4) {
        std::string words;
        for (const auto& choice : option.choices) words += (words.empty() ? "" : "|") + choice;
        return out + " " + words;
    }
    // A type such as "size, 1 to 16MiB" is for the help column, not for the name.
    if (!option.value.empty()) out += " " + option.value.substr(0, option.value.find(','));
    return out;
}

std::string option_help(const OptionSpec& option) {
    std::string out = option.help;
    if (option.positional() ? !option.choices.empty() : option.choices.size() > 4) {
        std::string words;
        for (const auto& choice : option.choices) words += (words.empty() ? "" : ", ") + choice;
        out += ": " + words;
    } else if (const auto comma = option.value.find(", "); comma != std::string::npos) {
        out += " (" + option.value.substr(comma + 2) + ")";
    }
    if (option.many) out += option.positional() ? "" : " (may be repeated)";
    return out;
}

void options(std::string& out, const Style& style, const CommandSpec& command, bool secondary) {
    for (const OptionSpec& option : command.options) {
        if (!option.positional() && option.secondary == secondary)
            entry(out, style, option_name(option), option_help(option));
    }
}

}  // namespace

std::string help_text(const CommandSpec& command, const std::string& path, const Style& style) {
    std::string out = style.bold("usage:") + " " + usage_line(command, path) + "\n\n";
    const std::string& about = command.description.empty() ? command.summary : command.description;
    for (const std::string& line : wrap(about, style.width)) out += line + "\n";

    if (!command.children.empty()) {
        out += "\n" + style.bold("Commands") + "\n";
        for (const CommandSpec& child : command.children)
            entry(out, style, child.name, child.summary);
    }
    const auto any = [&](auto&& which) { return std::ranges::any_of(command.options, which); };
    if (any([](const OptionSpec& option) { return option.positional(); })) {
        out += "\n" + style.bold("Arguments") + "\n";
        for (const OptionSpec& option : command.options) {
            if (option.positional()) entry(out, style, option_name(option), option_help(option));
        }
    }
    out += "\n" + style.bold("Options") + "\n";
    options(out, style, command, false);
    entry(out, style, "-h, --help", "this text");
    if (any([](const OptionSpec& option) { return option.secondary && !option.positional(); })) {
        out += "\n" + style.bold("More options") + "\n";
        options(out, style, command, true);
    }
    if (!command.examples.empty()) {
        out += "\n" + style.bold("Examples") + "\n";
        for (const std::string& example : command.examples)
            out += std::string(kIndent, ' ') + example + "\n";
    }
    if (path.empty()) {
        out += "\n" + style.bold("Environment") + "\n";
        entry(out, style, "AETERNA_URL", "the server, http://127.0.0.1:8080");
        entry(out, style, "AETERNA_TOKEN", "what to show it when it asks who you are");
        entry(out, style, "AETERNA_USER", "whose memory, when no --user is given");
        entry(out, style, "AETERNA_TIMEOUT", "how long to try, such as 30s");
        entry(out, style, "NO_COLOR", "no colours");
        out += "\n" + style.bold("Exit status") + "\n";
        out +=
            "  0 done   1 failed or not found   2 wrong command line or settings\n"
            "  3 no server could be reached in time   4 the server refused the caller\n";
    }
    return out;
}

}  // namespace aeterna::cli
