#include "config/load.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unistd.h>

#include <fmt/format.h>

#include "base/text.hpp"
#include "config/value.hpp"
#include "config/yaml.hpp"

namespace aeterna::config {

namespace {

constexpr std::size_t kMaxProblems = 20;
/// Read by the command line or by scripts, not settings.
constexpr std::array<std::string_view, 5> kOtherNames{
    "AETERNA_CONFIG", "AETERNA_URL", "AETERNA_TOKEN", "AETERNA_USER", "AETERNA_TIMEOUT"};

std::string_view variable(const Sources& sources, const std::string& name) {
    const auto found = sources.environment.find(name);
    return found == sources.environment.end() ? std::string_view() : found->second;
}

/// $XDG_x, else ~/rest, else empty.
std::filesystem::path user_folder(const Sources& sources, const char* xdg, const char* rest) {
    // The XDG rules: a relative path there is invalid and to be ignored.
    std::filesystem::path given(variable(sources, xdg));
    if (given.is_absolute()) return given;
    const std::filesystem::path home(variable(sources, "HOME"));
    return home.is_absolute() ? home / rest : std::filesystem::path();
}

/// Collects problems, so that one run shows them all.
class Problems {
  public:
    void add(std::string text) {
        if (texts_.size() < kMaxProblems) texts_.push_back(std::move(text));
    }
    [[nodiscard]] bool any() const { return !texts_.empty(); }
    [[nodiscard]] Error error() const {
        return {Code::kMalformed, "bad_settings", fmt::format("{}", fmt::join(texts_, "\n"))};
    }

  private:
    std::vector<std::string> texts_;
};

struct Builder {
    const Sources& sources;
    Loaded out;
    Problems problems;
    std::vector<std::string> said_by = std::vector<std::string>(settings_table().size(), "default");

    void apply(const Setting& setting, Given given, const std::string& source,
               const std::filesystem::path& folder) {
        if (setting.path && given.texts.size() == 1) absolute(given.texts.front(), folder);
        const auto done = setting.set(out.settings, given);
        if (done) {
            said_by[static_cast<std::size_t>(&setting - settings_table().data())] = source;
        } else {
            // A secret's text must not come out through its error either.
            problems.add(fmt::format("{}: {}: {}", source, setting.name,
                                     setting.secret ? "cannot be used" : done.error().message));
        }
    }

    void absolute(std::string& text, const std::filesystem::path& folder) const {
        if (text.empty()) return;
        if (text == "~" || text.starts_with("~/")) {
            text = std::string(variable(sources, "HOME")) + text.substr(1);
        }
        const std::filesystem::path path(text);
        if (path.is_relative()) text = (folder / path).lexically_normal().string();
    }

    void apply_file(std::string_view text, const std::filesystem::path& file) {
        const std::string shown = file.string();
        const auto entries = read_yaml(text, shown);
        if (!entries) {
            problems.add(entries.error().message);
            return;
        }
        for (const YamlEntry& entry : *entries) {
            const std::string place = fmt::format("{}:{}", shown, entry.line);
            if (const Setting* setting = find_setting(entry.name)) {
                apply(*setting, entry.value, place, file.parent_path());
                continue;
            }
            const auto near = nearest_setting(entry.name);
            problems.add(
                fmt::format("{}: there is no setting {}{}", place, cut_utf8(entry.name, 100),
                            near.empty() ? std::string("; `aeterna config show` lists them")
                                         : fmt::format("; did you mean {}?", near)));
        }
    }

    void apply_environment() {
        for (const Setting& setting : settings_table()) {
            const auto text = variable(sources, std::string(setting.env));
            if (!text.empty())
                apply(setting, {{std::string(text)}, false}, std::string(setting.env),
                      sources.working_folder);
        }
        for (const auto& [name, value] : sources.environment) {
            if (name.starts_with("AETERNA_")) warn_of_near_miss(name);
        }
    }

    void warn_of_near_miss(const std::string& name) {
        if (std::ranges::find(kOtherNames, name) != kOtherNames.end()) return;
        const Setting* near = nullptr;
        for (const Setting& setting : settings_table()) {
            if (setting.env == name) return;
            if (edit_distance(name, setting.env, 2) <= 2) near = &setting;
        }
        if (near != nullptr) {
            out.warnings.push_back(
                fmt::format("{} is not read; did you mean {}?", name, near->env));
        }
    }

    void apply_flags() {
        for (const auto& [name, given] : sources.flags) {
            if (const Setting* setting = find_setting(name)) {
                apply(*setting, given, fmt::format("flag {}", setting->flag),
                      sources.working_folder);
            }
        }
    }

    void check_together() {
        const auto& embedding = out.settings.embedding;
        if (embedding.provider == EmbeddingProvider::kOpenai) {
            if (embedding.url.empty() || embedding.model.empty()) {
                problems.add(
                    "embedding.provider is openai: embedding.url and embedding.model are needed "
                    "too");
            }
        }
        if (!embedding.url.empty() && !embedding.url.starts_with("http://") &&
            !embedding.url.starts_with("https://")) {
            problems.add("embedding.url must begin with http:// or https://");
        }
        const auto& limits = out.settings.limits;
        if (limits.content_bytes > limits.body_bytes) {
            problems.add(
                fmt::format("limits.content_bytes ({}) does not fit into limits.body_bytes ({})",
                            format_bytes(limits.content_bytes), format_bytes(limits.body_bytes)));
        }
        if (out.settings.data.dir.empty()) {
            problems.add(
                "data.dir: neither HOME nor XDG_DATA_HOME is set; give --data-dir or "
                "AETERNA_DATA_DIR");
        }
    }

    result<Loaded> finish() {
        check_together();
        if (problems.any()) return fail(problems.error());
        const auto table = settings_table();
        for (std::size_t i = 0; i < table.size(); ++i) {
            std::string value = table[i].show(out.settings);
            if (table[i].secret) value = value.empty() ? "" : "(set)";
            out.described.push_back({std::string(table[i].name), std::move(value), said_by[i]});
        }
        return std::move(out);
    }
};

result<Loaded> build(const Sources& sources, std::optional<std::string_view> text,
                     const std::filesystem::path& file) {
    Builder builder{sources, {}, {}};
    const auto data = user_folder(sources, "XDG_DATA_HOME", ".local/share");
    if (!data.empty()) builder.out.settings.data.dir = data / "aeterna";
    if (text) {
        builder.out.file = file;
        builder.apply_file(*text, file);
    }
    builder.apply_environment();
    builder.apply_flags();
    return builder.finish();
}

struct Close {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
};

/// At most one byte more than allowed, so that a device or an endless pipe cannot hold us.
result<std::string> read_file(const std::filesystem::path& path) {
    const auto broken = [&](int number) {
        return fail(Code::kNotFound, "bad_settings",
                    fmt::format("the settings file {} cannot be read: {}", path.string(),
                                std::strerror(number)));
    };
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return broken(EISDIR);
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (!file) return broken(errno);
    std::string text(kMaxYamlBytes + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
    if (std::ferror(file.get()) != 0) return broken(EIO);
    return text;
}

/// The file to read, and whether it must exist.
std::pair<std::filesystem::path, bool> choose_file(const Sources& sources) {
    if (sources.file) return {sources.working_folder / *sources.file, true};
    if (const auto named = variable(sources, "AETERNA_CONFIG"); !named.empty())
        return {sources.working_folder / named, true};
    const auto folder = user_folder(sources, "XDG_CONFIG_HOME", ".config");
    std::error_code ignored;
    if (!folder.empty()) {
        auto own = folder / "aeterna" / "config.yaml";
        if (std::filesystem::exists(own, ignored)) return {std::move(own), true};
    }
    if (std::filesystem::exists(sources.system_file, ignored)) return {sources.system_file, true};
    return {{}, false};
}

}  // namespace

Sources process_sources() {
    Sources out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view name = text.substr(0, equals);
        if (name.starts_with("AETERNA_") || name == "HOME" || name == "XDG_DATA_HOME" ||
            name == "XDG_CONFIG_HOME") {
            out.environment.emplace(name, text.substr(equals + 1));
        }
    }
    std::error_code ignored;
    out.working_folder = std::filesystem::current_path(ignored);
    return out;
}

result<Loaded> load(const Sources& sources) {
    const auto [file, needed] = choose_file(sources);
    if (!needed) return build(sources, std::nullopt, {});
    const auto text = read_file(file);
    if (!text) return tl::unexpected(text.error());
    return build(sources, *text, file);
}

result<Loaded> load_text(const Sources& sources, std::string_view text,
                         const std::filesystem::path& file) {
    return build(sources, text, file);
}

}  // namespace aeterna::config
