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

/// What CLI11 fills while it parses, one for each command of the tree.
struct Node {
    const CommandSpec* spec = nullptr;
    std::string path;
    CLI::App* app = nullptr;
    bool help = false;
    std::deque<std::pair<const OptionSpec*, std::vector<std::string>>> values;
    std::deque<std::pair<const OptionSpec*, bool>> switches;
};

void add_options(Node& node) {
    node.app->set_help_flag();
    node.app->add_flag("-h,--help", node.help);
    for (const OptionSpec& spec : node.spec->options) {
        std::string name = spec.positional() ? spec.name : spec.name;
        if (!spec.brief.empty()) name = spec.brief + "," + name;
        if (spec.value.empty()) {
            node.switches.emplace_back(&spec, false);
            node.app->add_flag(name, node.switches.back().second);
            continue;
        }
        node.values.emplace_back(&spec, std::vector<std::string>{});
        auto* option = node.app->add_option(name, node.values.back().second);
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

/// std::deque keeps addresses, which CLI11 holds on to.
void add_commands(std::deque<Node>& nodes, Node& parent) {
    for (const CommandSpec& spec : parent.spec->children) {
        Node& node = nodes.emplace_back();
        node.spec = &spec;
        node.path = parent.path.empty() ? spec.name : parent.path + " " + spec.name;
        node.app = parent.app->add_subcommand(spec.name);
        add_options(node);
        add_commands(nodes, node);
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
    CLI::App app;
    std::deque<Node> nodes;
    Node& root = nodes.emplace_back();
    root.spec = &program();
    root.app = &app;
    app.allow_extras(false);
    add_options(root);
    add_commands(nodes, root);

    std::string trouble;
    std::vector<std::string> extras;
    try {
        std::vector<std::string> reversed(words.rbegin(), words.rend());
        app.parse(std::move(reversed));
    } catch (const CLI::ExtrasError&) {
        extras = app.remaining(true);
    } catch (const CLI::Error& error) {
        trouble = error.what();
    }
    // Children stand after their parents, so the last one parsed is the deepest.
    const Node* chosen = &root;
    for (const Node& node : nodes) {
        if (node.app != &app && node.app->parsed()) chosen = &node;
        if (node.help) return HelpWanted{node.path};
    }
    // CLI11 fills `help` only after the whole line was read without an error.
    for (const std::string& word : words) {
        if (word == "--") break;
        if (word == "-h" || word == "--help") return HelpWanted{chosen->path};
    }
    if (!extras.empty()) return fail(unknown_word(*chosen, extras.front()));
    if (!trouble.empty()) return fail(usage(trouble, chosen->path));
    if (chosen == &root && words == std::vector<std::string>{"--version"})
        return Invocation{"version", {}};
    if (!chosen->spec->children.empty()) return HelpWanted{chosen->path};
    auto line = collect(*chosen);
    if (!line) return tl::unexpected(std::move(line).error());
    return std::move(*line);
}

}  // namespace aeterna::cli
