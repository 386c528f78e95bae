#include "cli/parse.hpp"

#include <algorithm>
#include <deque>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/spec.hpp"
#include "config/value.hpp"

namespace aeterna::cli {

namespace {

/// What CLI11 fills while it parses the words after a command.
struct Node {
    const CommandSpec* spec = nullptr;
    std::string path;
    bool help = false;
    // std::deque keeps addresses, which CLI11 holds on to.
    std::deque<std::pair<const OptionSpec*, std::vector<std::string>>> values;
    std::deque<std::pair<const OptionSpec*, bool>> switches;
};

void add_options(CLI::App& app, Node& node) {
    app.set_help_flag();
    app.add_flag("-h,--help", node.help);
    for (const OptionSpec& spec : node.spec->options) {
        const std::string name = spec.brief.empty() ? spec.name : spec.brief + "," + spec.name;
        if (spec.value.empty()) {
            node.switches.emplace_back(&spec, false);
            app.add_flag(name, node.switches.back().second);
            continue;
        }
        node.values.emplace_back(&spec, std::vector<std::string>{});
        auto* option = app.add_option(name, node.values.back().second);
        // One value each time it is named; only a positional list takes what follows.
        option->allow_extra_args(false);
        option->expected(spec.positional() && spec.many ? -1 : 1);
        if (spec.many) {
            option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
        } else {
            option->multi_option_policy(CLI::MultiOptionPolicy::Throw);
        }
    }
}

std::string in_quotes(std::string_view text) {
    return fmt::format("\"{}\"", cut_utf8(text, 60));
}

template <class Names>
std::string suggestion(std::string_view word, const Names& names) {
    std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
    std::string_view near;
    for (const auto& name : names) {
        const std::size_t distance = config::edit_distance(word, name, best);
        if (distance < best) {
            best = distance;
            near = name;
        }
    }
    return near.empty() ? std::string() : fmt::format("; did you mean {}?", near);
}

Error usage(std::string message, const std::string& path) {
    return {Code::kMalformed, "usage",
            fmt::format("{}\ntry: aeterna {}{}--help", message, path, path.empty() ? "" : " ")};
}

Error unknown_word(const Node& node, std::string_view word) {
    if (word.starts_with('-')) {
        std::vector<std::string> names;
        for (const auto& option : node.spec->options) {
            if (!option.positional()) names.push_back(option.name);
        }
        const std::string_view flag = word.substr(0, word.find('='));
        return usage(fmt::format("unknown option {}{}", in_quotes(flag), suggestion(flag, names)),
                     node.path);
    }
    if (!node.spec->children.empty()) {
        std::vector<std::string> names;
        for (const auto& child : node.spec->children) names.push_back(child.name);
        return usage(fmt::format("unknown command {}{}", in_quotes(word), suggestion(word, names)),
                     node.path);
    }
    return usage(
        fmt::format("{} is one word too many; put a text with spaces in quotes", in_quotes(word)),
        node.path);
}

result<void> check(const Node& node, const OptionSpec& spec,
                   const std::vector<std::string>& values) {
    if (spec.required && values.empty()) {
        return fail(usage(fmt::format("{} is missing: {}", spec.name, spec.help), node.path));
    }
    for (const std::string& text : values) {
        if (!is_valid_utf8(text)) {
            return fail(usage(fmt::format("{} is not UTF-8 text", spec.name), node.path));
        }
        if (spec.choices.empty() || std::ranges::find(spec.choices, text) != spec.choices.end())
            continue;
        std::string list;
        for (const auto& choice : spec.choices) list += (list.empty() ? "" : ", ") + choice;
        return fail(usage(fmt::format("{} must be one of {}; not {}{}", spec.name, list,
                                      in_quotes(text), suggestion(text, spec.choices)),
                          node.path));
    }
    return {};
}

result<Invocation> collect(const Node& node) {
    Invocation out{node.path, {}};
    for (const auto& [spec, values] : node.values) {
        AETERNA_TRY(check(node, *spec, values));
        if (!values.empty()) out.given[spec->name] = values;
    }
    for (const auto& [spec, on] : node.switches) {
        if (on) out.given[spec->name] = {};
    }
    return out;
}

}  // namespace

bool Invocation::has(std::string_view name) const {
    return given.contains(std::string(name));
}

std::optional<std::string> Invocation::one(std::string_view name) const {
    const auto found = given.find(std::string(name));
    if (found == given.end() || found->second.empty()) return std::nullopt;
    return found->second.front();
}

std::vector<std::string> Invocation::all(std::string_view name) const {
    const auto found = given.find(std::string(name));
    return found == given.end() ? std::vector<std::string>{} : found->second;
}

result<std::variant<Invocation, HelpWanted>> parse(const std::vector<std::string>& words) {
    // The commands are found here and not by CLI11, for which a text such as "search" after
    // "memory add" would be one.
    Node node;
    node.spec = &program();
    auto rest = words.begin();
    for (; rest != words.end(); ++rest) {
        const CommandSpec* child = node.spec->child(*rest);
        if (child == nullptr) break;
        node.spec = child;
        node.path += (node.path.empty() ? "" : " ") + *rest;
    }
    CLI::App app;
    add_options(app, node);
    std::string trouble;
    std::vector<std::string> extras;
    try {
        app.parse(std::vector<std::string>(words.rbegin(), std::make_reverse_iterator(rest)));
    } catch (const CLI::ExtrasError&) {
        extras = app.remaining();
    } catch (const CLI::ArgumentMismatch& error) {
        // "--tag: 1 required TEXT missing"
        const std::string_view said = error.what();
        trouble =
            fmt::format("{} {}", said.substr(0, said.find(':')),
                        said.ends_with("missing") ? "needs a value" : "may be given only once");
    } catch (const CLI::Error& error) {
        trouble = error.what();
    }
    // CLI11 fills `help` only when the whole line was right; here it wins over every mistake.
    for (auto word = rest; word != words.end() && *word != "--"; ++word) {
        if (*word == "-h" || *word == "--help") return HelpWanted{node.path};
    }
    if (!extras.empty()) return fail(unknown_word(node, extras.front()));
    if (!trouble.empty()) return fail(usage(trouble, node.path));
    if (node.path.empty() && !node.switches.empty() && node.switches.front().second)
        return Invocation{"version", {}};
    if (!node.spec->children.empty()) return HelpWanted{node.path};
    auto line = collect(node);
    if (!line) return tl::unexpected(std::move(line).error());
    return std::move(*line);
}

}  // namespace aeterna::cli
