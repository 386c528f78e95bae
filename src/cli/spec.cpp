#include "cli/spec.hpp"

#include <algorithm>

#include "config/table.hpp"

namespace aeterna::cli {

namespace {

using Options = std::vector<OptionSpec>;

const std::vector<std::string> kLayerNames{"agent", "user", "session", "project",
                                           "team",  "org",  "company"};

OptionSpec value(std::string name, std::string what, std::string help,
                 std::vector<std::string> choices = {}) {
    return {std::move(name),    {},    std::move(what), std::move(help),
            std::move(choices), false, false,           false};
}
OptionSpec toggle(std::string name, std::string help) {
    return value(std::move(name), "", std::move(help));
}
OptionSpec many(OptionSpec option) {
    option.many = true;
    return option;
}
OptionSpec needed(OptionSpec option) {
    option.required = true;
    return option;
}
OptionSpec secondary(OptionSpec option) {
    option.secondary = true;
    return option;
}

Options operator+(Options left, const Options& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

const Options kJson{toggle("--json", "print the server's JSON, nothing else")};
const Options kServer{
    secondary(value("--url", "URL", "the server (AETERNA_URL, http://127.0.0.1:8080)")),
    secondary(
        value("--timeout", "TIME", "give up after this long, such as 30s (AETERNA_TIMEOUT)"))};

Options identifiers() {
    return {value("--user", "ID", "whose memory (AETERNA_USER, your login name)"),
            value("--agent", "ID", "the agent of that user"),
            value("--session", "ID", "the session of that user"),
            value("--project", "ID", "the project"),
            value("--team", "ID", "the team"),
            value("--org", "ID", "the organisation"),
            value("--company", "ID", "the company")};
}

Options filters() {
    return {many(value("--tag", "TAG", "only memories with this tag")),
            value("--source-type", "TYPE", "only memories from this kind of source"),
            value("--since", "TIME", "created at or after, such as 2026-01-31T00:00:00Z"),
            value("--until", "TIME", "created before"),
            value("--min-importance", "N", "only memories of at least this importance, 0..1")};
}

const OptionSpec kId = needed(value("ID", "ID", "the memory's id"));

Options settings_options() {
    Options out{value("--config", "FILE", "the settings file (AETERNA_CONFIG)")};
    for (const auto& setting : config::settings_table()) {
        if (setting.flag.empty()) continue;
        OptionSpec option =
            value(std::string(setting.flag), setting.type, std::string(setting.help));
        option.many = setting.list;
        option.secondary = !setting.common;
        if (const auto bar = setting.type.find('|'); bar != std::string::npos) {
            for (std::string_view rest = setting.type; !rest.empty();) {
                const std::size_t end = std::min(rest.find('|'), rest.size());
                option.choices.emplace_back(rest.substr(0, end));
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
        out.push_back(std::move(option));
    }
    return out;
}

Options data_folder() {
    return {value("--data-dir", "DIR", "work on this data folder without a server"),
            secondary(value("--config", "FILE", "the settings file that names the folder"))};
}

CommandSpec memory_add() {
    CommandSpec out{"add", "remember something", {}, {}, {}, {}};
    out.description =
        "Stores a memory. The layer is that of the most specific identifier given, else your own "
        "user layer. The same content in the same place again reinforces the first memory.";
    out.options = Options{needed(value("TEXT", "TEXT", "what to remember; - reads standard input")),
                          value("--layer", "LAYER", "whose kind of memory", kLayerNames)} +
                  identifiers() +
                  Options{many(value("--tag", "TAG", "label it")),
                          value("--importance", "N", "from 0 to 1 (0.5)"),
                          value("--expires", "TIME", "forget it then: 2026-12-31T00:00:00Z"),
                          value("--metadata", "JSON", "an object to keep with it"),
                          value("--source-type", "TYPE", "what kind of source it came from")} +
                  kJson + kServer;
    out.examples = {"aeterna memory add \"Anna is allergic to peanuts\"",
                    "aeterna memory add \"We deploy on Tuesdays\" --project shop --tag deploy",
                    "git log -1 --format=%B | aeterna memory add - --project shop"};
    return out;
}

CommandSpec memory_search() {
    CommandSpec out{"search", "recall by meaning and by words", {}, {}, {}, {}};
    out.description =
        "Searches every layer whose identifiers are known: your user layer, and those of the "
        "identifiers given.";
    out.options =
        Options{needed(value("QUERY", "QUERY", "what to look for; - reads standard input")),
                many(value("--layer", "LAYER", "only this layer", kLayerNames))} +
        identifiers() +
        Options{value("--limit", "N", "at most this many, 1 to 100 (10)"),
                value("--threshold", "N", "leave out scores below this, 0..1 (0)"),
                value("--as-of", "TIME", "what was known then"),
                toggle("--explain", "say how each score came about")} +
        filters() + kJson + kServer;
    out.options[1].brief = "-l";
    for (auto& option : out.options) {
        if (option.name == "--limit") option.brief = "-n";
    }
    out.examples = {
        "aeterna memory search \"what must Anna not eat?\"",
        "aeterna memory search \"release day\" --project shop --limit 3",
        "aeterna memory search \"db password rotation\" --json | jq '.items[0].memory'"};
    return out;
}

CommandSpec memory_list() {
    CommandSpec out{"list", "everything in one place, newest first", {}, {}, {}, {}};
    out.options =
        Options{value("--layer", "LAYER", "that of the identifier given, else user", kLayerNames)} +
        identifiers() +
        Options{value("--limit", "N", "at most this many, 1 to 500 (50)"),
                value("--cursor", "CURSOR", "go on where the last page ended"),
                toggle("--all", "every page")} +
        filters() + kJson + kServer;
    out.options[8].brief = "-n";
    out.examples = {"aeterna memory list", "aeterna memory list --project shop --tag deploy",
                    "aeterna memory list --all --json"};
    return out;
}

CommandSpec memory() {
    CommandSpec out{"memory", "remember, recall, correct", {}, {}, {}, {}};
    out.children = {memory_add(), memory_search()};
    out.children.push_back(
        {"get",
         "one memory by its id",
         {},
         Options{kId, value("--as-of", "TIME", "as it was then")} + kJson + kServer,
         {"aeterna memory get $ID"},
         {}});
    out.children.push_back(memory_list());
    out.children.push_back(
        {"update",
         "change content or facts about it",
         "Only what is given changes; metadata is merged.",
         Options{kId, value("TEXT", "TEXT", "the new content; - reads standard input"),
                 many(value("--tag", "TAG", "replace the tags by these")),
                 value("--importance", "N", "from 0 to 1"),
                 value("--expires", "TIME", "forget it then; never: keep it"),
                 value("--metadata", "JSON", "members to merge; null removes one"),
                 value("--if-version", "N", "only when this is still its version")} +
             kJson + kServer,
         {"aeterna memory update $ID \"We deploy on Mondays\"",
          "aeterna memory update $ID --importance 0.9 --expires "
          "never"},
         {}});
    out.children.push_back(
        {"delete",
         "forget",
         "Deleted memories are purged after a while (setting memory.purge_after).",
         Options{many(kId), value("--if-version", "N", "only when this is still its version")} +
             kServer,
         {"aeterna memory delete $ID"},
         {}});
    out.children.push_back({"history",
                            "every version: what, who, when",
                            {},
                            Options{kId} + kJson + kServer,
                            {"aeterna memory history $ID"},
                            {}});
    out.children.push_back(
        {"feedback",
         "say whether it helped",
         "Moves the importance towards the score: helpful 1, irrelevant -0.5, outdated -0.7, "
         "inaccurate -1, duplicate -0.5, or the one given.",
         Options{kId,
                 needed(value("REWARD", "REWARD", "how it was",
                              {"helpful", "irrelevant", "outdated", "inaccurate", "duplicate"})),
                 value("--score", "N", "from -1 to 1")} +
             kJson + kServer,
         {"aeterna memory feedback $ID helpful"},
         {}});
    out.children.push_back(
        {"promote",
         "copy it to a broader layer",
         {},
         Options{kId, needed(value("--to", "LAYER", "the broader layer", kLayerNames))} +
             identifiers() + kJson + kServer,
         {"aeterna memory promote $ID --to team --team backend"},
         {}});
    return out;
}

CommandSpec keys() {
    CommandSpec out{"key", "who may come in", {}, {}, {}, {}};
    const OptionSpec role = many(value("--role", "ROLE", "what it may do (Developer)",
                                       {"PlatformAdmin", "TenantAdmin", "Admin", "Architect",
                                        "TechLead", "Developer", "Viewer", "Agent"}));
    out.children.push_back(
        {"create",
         "make an API key; its token is shown once",
         "With --data-dir it works on the data folder while no server runs: that is how the first "
         "key is made before a server listens off loopback.",
         Options{needed(value("--subject", "NAME", "who uses it: a person, a service, an agent")),
                 role, value("--label", "TEXT", "a note for the list"),
                 value("--expires", "TIME", "not valid from then on: 2026-12-31T00:00:00Z")} +
             data_folder() + kJson + kServer,
         {"aeterna key create --subject ci --role Developer",
          "aeterna key create --subject ops --role Admin --data-dir /var/lib/aeterna"},
         {}});
    out.children.push_back({"list",
                            "all keys, without their tokens",
                            {},
                            data_folder() + kJson + kServer,
                            {"aeterna key list"},
                            {}});
    out.children.push_back(
        {"revoke",
         "end a key at once",
         {},
         Options{needed(value("ID", "ID", "the key's id"))} + data_folder() + kServer,
         {"aeterna key revoke $ID"},
         {}});
    return out;
}

CommandSpec make_program() {
    CommandSpec out{"aeterna", {}, "Memory for AI agents: one program, server and client.",
                    {},        {}, {}};
    out.options = {toggle("--version", "print the version")};
    out.examples = {"aeterna serve", "aeterna memory add \"Anna is allergic to peanuts\"",
                    "aeterna memory search \"what must Anna not eat?\""};
    out.children.push_back(
        {"serve",
         "run the server",
         "Without any setting: the embedded store in your data folder, the API on "
         "127.0.0.1:8080, health and metrics on 127.0.0.1:9090. Every setting may "
         "also come from its variable or the settings file (aeterna config show).",
         settings_options(),
         {"aeterna serve", "aeterna serve --data-dir ./memories --listen :8080 --auth always",
          "AETERNA_LOG_LEVEL=debug aeterna serve"},
         {}});
    out.children.push_back(memory());
    out.children.push_back(
        {"status",
         "how the server does",
         "Version, store, index and embedder of the server.",
         Options{value("--wait", "TIME", "wait so long for a server to answer")} + kJson + kServer,
         {"aeterna status", "aeterna status --wait 10s --json"},
         {}});
    out.children.push_back(
        {"export",
         "every memory with its history, as JSON lines",
         "A file appears under its name only when it is complete.",
         Options{value("FILE", "FILE", "where to; - or nothing: standard output")} + kServer,
         {"aeterna export memories.jsonl", "aeterna export | gzip > memories.jsonl.gz"},
         {}});
    out.children.push_back(
        {"import",
         "read what export wrote",
         "What is already there is skipped, so that it may be repeated.",
         Options{needed(value("FILE", "FILE", "what to read; - standard input"))} + kJson + kServer,
         {"aeterna import memories.jsonl", "zcat memories.jsonl.gz | aeterna import -"},
         {}});
    out.children.push_back(keys());
    CommandSpec index{"index", "the search index, which is derived", {}, {}, {}, {}};
    index.children.push_back(
        {"rebuild",
         "make it anew from the store, while serving",
         {},
         Options{toggle("--no-wait", "do not wait until it is done")} + kJson + kServer,
         {"aeterna index rebuild"},
         {}});
    index.children.push_back({"verify",
                              "compare it with the store; exit 1 when they differ",
                              {},
                              kJson + kServer,
                              {"aeterna index verify"},
                              {}});
    out.children.push_back(std::move(index));
    CommandSpec config{"config", "the settings and where they come from", {}, {}, {}, {}};
    config.children.push_back(
        {"show",
         "every setting, its value and its source",
         {},
         kJson + settings_options(),
         {"aeterna config show", "aeterna config show --config new.yaml --json"},
         {}});
    config.children.push_back({"check",
                               "look for mistakes; exit 1 when there are any",
                               {},
                               settings_options(),
                               {"aeterna config check --config new.yaml"},
                               {}});
    out.children.push_back(std::move(config));
    out.children.push_back(
        {"mcp",
         "MCP over standard input and output",
         "For MCP clients that start a program. Uses the server that runs on the "
         "data folder, else one of its own for as long as the client stays.",
         Options{value("--url", "URL", "use this server (AETERNA_URL)")} + settings_options(),
         {"aeterna mcp", "aeterna mcp --url http://127.0.0.1:8080"},
         {}});
    out.children.push_back(
        {"completion",
         "a completion script for your shell",
         {},
         Options{needed(value("SHELL", "SHELL", "which shell", {"bash", "zsh", "fish"}))},
         {"source <(aeterna completion bash)", "aeterna completion zsh > \"${fpath[1]}/_aeterna\"",
          "aeterna completion fish > ~/.config/fish/completions/aeterna.fish"},
         {}});
    out.children.push_back({"version", "print the version", {}, {}, {"aeterna version"}, {}});
    return out;
}

}  // namespace

const CommandSpec* CommandSpec::child(std::string_view word) const {
    const auto found = std::ranges::find(children, word, &CommandSpec::name);
    return found == children.end() ? nullptr : &*found;
}

const OptionSpec* CommandSpec::option(std::string_view flag) const {
    const auto found = std::ranges::find(options, flag, &OptionSpec::name);
    return found == options.end() ? nullptr : &*found;
}

const CommandSpec& program() {
    static const CommandSpec spec = make_program();
    return spec;
}

const CommandSpec* find_command(std::string_view path) {
    const CommandSpec* at = &program();
    while (!path.empty() && at != nullptr) {
        const std::size_t end = std::min(path.find(' '), path.size());
        at = at->child(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return at;
}

const std::vector<IdentifierFlag>& identifier_flags() {
    static const std::vector<IdentifierFlag> flags{
        {"--agent", "agentId", "agent"},       {"--user", "userId", "user"},
        {"--session", "sessionId", "session"}, {"--project", "projectId", "project"},
        {"--team", "teamId", "team"},          {"--org", "orgId", "org"},
        {"--company", "companyId", "company"}};
    return flags;
}

}  // namespace aeterna::cli
