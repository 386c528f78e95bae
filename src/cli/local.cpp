#include "cli/local.hpp"

#include <array>
#include <cstdio>

#include <fmt/format.h>

#include "base/version.hpp"
#include "cli/completion.hpp"
#include "cli/main.hpp"
#include "cli/output.hpp"
#include "cli/settings_flags.hpp"
#include "cli/spec.hpp"
#include "cli/table.hpp"
#include "cli/width.hpp"
#include "json/codec.hpp"
#include "service/serve.hpp"

namespace aeterna::cli {

namespace {

int serve(const Invocation& line) {
    const auto loaded = config::load(sources_of(line));
    if (!loaded) return report(loaded.error());
    for (const std::string& warning : loaded->warnings) note(warning);
    return service::serve(loaded->settings);
}

int mcp(const Invocation& line) {
    const auto sources = sources_of(line);
    const auto loaded = config::load(sources);
    if (!loaded) return report(loaded.error());
    service::McpOptions options;
    const auto variable = [&](const char* name) {
        const auto found = sources.environment.find(name);
        return found == sources.environment.end() ? std::string() : found->second;
    };
    options.url = line.one("--url").value_or(variable("AETERNA_URL"));
    options.token = variable("AETERNA_TOKEN");
    return service::serve_mcp_stdio(loaded->settings, options);
}

int config_show(const Invocation& line) {
    const auto loaded = config::load(sources_of(line));
    if (!loaded) return report(loaded.error());
    if (line.has("--json")) {
        json::Object settings;
        for (const auto& one : loaded->described)
            settings[one.name] = json::Object{{"value", one.value}, {"source", one.source}};
        print(json::write(json::Object{{"file", loaded->file ? json::Value(loaded->file->string())
                                                             : json::Value(nullptr)},
                                       {"settings", std::move(settings)}}) +
              "\n");
        return kOk;
    }
    Table table({{"SETTING"}, {"VALUE", false, true}, {"FROM"}});
    for (const auto& one : loaded->described)
        table.add({one.name, printable(one.value), printable(one.source)});
    print(table.render(style_of(1)));
    for (const std::string& warning : loaded->warnings) note(warning);
    return kOk;
}

int config_check(const Invocation& line) {
    const auto loaded = config::load(sources_of(line));
    if (!loaded) {
        (void)report(loaded.error());
        return kFailed;
    }
    for (const std::string& warning : loaded->warnings) note(warning);
    print(loaded->file ? fmt::format("{} is in order\n", loaded->file->string())
                       : "no settings file; flags, environment and defaults are in order\n");
    return kOk;
}

int completion(const Invocation& line) {
    print(completion_script(program(), line.one("SHELL").value_or("bash")));
    return kOk;
}

int version(const Invocation&) {
    print(fmt::format("aeterna {}\n", kVersion));
    return kOk;
}

struct LocalCommand {
    std::string_view command;
    int (*run)(const Invocation&);
};
constexpr std::array kLocal{LocalCommand{"serve", serve},
                            LocalCommand{"mcp", mcp},
                            LocalCommand{"config show", config_show},
                            LocalCommand{"config check", config_check},
                            LocalCommand{"completion", completion},
                            LocalCommand{"version", version}};

const LocalCommand* find(const Invocation& line) {
    for (const LocalCommand& entry : kLocal) {
        if (entry.command == line.command) return &entry;
    }
    return nullptr;
}

}  // namespace

config::Sources sources_of(const Invocation& line) {
    auto sources = config::process_sources();
    if (const auto file = line.one("--config")) sources.file = *file;
    // There --role is the role of a key.
    const bool keys = line.command.starts_with("key ");
    for (const auto& setting : config::settings_table()) {
        if (keys && setting.name != "data.dir") continue;
        if (setting.flag.empty() || !line.has(setting.flag)) continue;
        sources.flags.emplace_back(setting.name, config::Given{line.all(setting.flag), false});
    }
    return sources;
}

bool is_local(const Invocation& line) {
    return find(line) != nullptr;
}

int run_local(const Invocation& line) {
    const LocalCommand* entry = find(line);
    return entry == nullptr ? static_cast<int>(kUsage) : entry->run(line);
}

}  // namespace aeterna::cli
