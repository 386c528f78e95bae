#include <cstdlib>
#include <fstream>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.hpp"
#include "config/value.hpp"
#include "config/yaml.hpp"

namespace aeterna::config {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Sources bare() {
    Sources out;
    out.environment["HOME"] = "/home/ann";
    out.working_folder = "/srv";
    out.system_file = "/nonexistent/config.yaml";
    return out;
}
result<Loaded> from_text(std::string_view text, const Sources& sources = bare()) {
    return load_text(sources, text, "/etc/a.yaml");
}
std::string problem(std::string_view text) {
    const auto loaded = from_text(text);
    return loaded ? std::string("no error") : loaded.error().message;
}
const Described& described(const Loaded& loaded, std::string_view name) {
    for (const auto& one : loaded.described) {
        if (one.name == name) return one;
    }
    ADD_FAILURE() << name;
    return loaded.described.front();
}

TEST(Value, ReadsSizes) {
    EXPECT_EQ(parse_bytes("65536").value(), 65536U);
    EXPECT_EQ(parse_bytes("64KiB").value(), 65536U);
    EXPECT_EQ(parse_bytes(" 1 MiB ").value(), 1048576U);
    for (const auto* bad : {"", "KiB", "1kb", "1KB", "-1", "1.5MiB", "1MiBx",
                            "99999999999999999GiB", "18446744073709551616"}) {
        EXPECT_FALSE(parse_bytes(bad)) << bad;
    }
    EXPECT_EQ(format_bytes(65536), "64KiB");
    EXPECT_EQ(format_bytes(1000), "1000");
    EXPECT_EQ(format_bytes(0), "0");
}

TEST(Value, ReadsDurationsOnlyWithAUnit) {
    EXPECT_EQ(parse_duration("500ms").value(), milliseconds(500));
    EXPECT_EQ(parse_duration("30 s").value(), milliseconds(30'000));
    EXPECT_EQ(parse_duration("30d").value(), milliseconds(30LL * 86'400'000));
    for (const auto* bad : {"", "30", "s", "1w", "-1s", "1h30m", "99999999999999d"}) {
        EXPECT_FALSE(parse_duration(bad)) << bad;
    }
    EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
    EXPECT_EQ(format_duration(milliseconds(0)), "0s");
}

TEST(Value, KnowsAddresses) {
    for (const auto* good :
         {"127.0.0.1:8080", "[::1]:0", "localhost:65535", ":8080", "0.0.0.0:80"}) {
        EXPECT_TRUE(check_address(good)) << good;
    }
    for (const auto* bad : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
                            "[::1]", "example.org:80", "127.0.0.1:8 0", "127.0.0.1:-1", "[]:80"}) {
        EXPECT_FALSE(check_address(bad)) << bad;
    }
}

TEST(Value, CountsEdits) {
    EXPECT_EQ(edit_distance("listen", "listen", 3), 0U);
    EXPECT_EQ(edit_distance("listn", "listen", 3), 1U);
    EXPECT_EQ(edit_distance("kitten", "sitting", 5), 3U);
    EXPECT_EQ(edit_distance("a", "abcdefgh", 3), 4U);
}

TEST(Table, DefaultsAreThoseOfTheStructAndReadBackAsShown) {
    const Settings defaults;
    for (const Setting& setting : settings_table()) {
        const std::string shown = setting.show(defaults);
        if (shown.empty()) continue;
        Settings copy;
        const auto done = setting.set(copy, {{shown}, false});
        ASSERT_TRUE(done) << setting.name << ": " << done.error().message;
        EXPECT_EQ(setting.show(copy), shown) << setting.name;
    }
}

TEST(Table, NamesFlagsAndVariablesAreUnique) {
    std::vector<std::string_view> seen;
    for (const Setting& setting : settings_table()) {
        for (const auto text : {setting.name, setting.flag, setting.env}) {
            if (text.empty()) continue;
            EXPECT_THAT(seen, Not(testing::Contains(text)));
            seen.push_back(text);
        }
        EXPECT_FALSE(setting.help.empty()) << setting.name;
        EXPECT_FALSE(setting.type.empty()) << setting.name;
        EXPECT_EQ(setting.flag.empty(), setting.secret) << setting.name;
        EXPECT_TRUE(setting.env.starts_with("AETERNA_")) << setting.name;
    }
}

TEST(Load, WithoutAnythingGivesTheContractsDefaults) {
    const auto loaded = load(bare());
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->settings.server.listen, "127.0.0.1:8080");
    EXPECT_EQ(loaded->settings.server.ops_listen, "127.0.0.1:9090");
    EXPECT_EQ(loaded->settings.data.dir, "/home/ann/.local/share/aeterna");
    EXPECT_EQ(loaded->settings.limits.content_bytes, 65536U);
    EXPECT_EQ(loaded->settings.memory.purge_after, std::chrono::hours(720));
    EXPECT_EQ(described(*loaded, "server.listen").source, "default");
    EXPECT_EQ(loaded->described.size(), settings_table().size());
}

TEST(Load, XdgDataHomeWinsOverHomeButNotWhenRelative) {
    auto sources = bare();
    sources.environment["XDG_DATA_HOME"] = "/data";
    EXPECT_EQ(load(sources)->settings.data.dir, "/data/aeterna");
    sources.environment["XDG_DATA_HOME"] = "data";
    EXPECT_EQ(load(sources)->settings.data.dir, "/home/ann/.local/share/aeterna");
    sources.environment.clear();
    EXPECT_THAT(load(sources).error().message, HasSubstr("--data-dir"));
}

TEST(Load, FlagBeatsEnvironmentBeatsFile) {
    const std::string file =
        "server:\n  listen: 127.0.0.1:1\n  ops_listen: 127.0.0.1:2\nlog.level: warn\n";
    auto sources = bare();
    sources.environment["AETERNA_LISTEN"] = "127.0.0.1:3";
    sources.environment["AETERNA_OPS_LISTEN"] = "127.0.0.1:4";
    sources.flags = {{"server.listen", {{"127.0.0.1:5"}, false}}};
    const auto loaded = from_text(file, sources);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(described(*loaded, "server.listen").value, "127.0.0.1:5");
    EXPECT_EQ(described(*loaded, "server.listen").source, "flag --listen");
    EXPECT_EQ(described(*loaded, "server.ops_listen").value, "127.0.0.1:4");
    EXPECT_EQ(described(*loaded, "server.ops_listen").source, "AETERNA_OPS_LISTEN");
    EXPECT_EQ(described(*loaded, "log.level").value, "warn");
    EXPECT_EQ(described(*loaded, "log.level").source, "/etc/a.yaml:4");
    EXPECT_EQ(loaded->settings.log.level, LogLevel::kWarn);
}

TEST(Load, ListsComeAsYamlListsOrWithCommas) {
    auto loaded = from_text("roles: [memory, sync]\n");
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_THAT(loaded->settings.roles, ElementsAre("memory", "sync"));
    auto sources = bare();
    sources.flags = {{"roles", {{"memory, knowledge", "memory"}, false}}};
    EXPECT_THAT(load(sources)->settings.roles, ElementsAre("memory", "knowledge"));
    EXPECT_THAT(problem("roles: [memory, memroy]\n"), HasSubstr("not \"memroy\""));
}

TEST(Load, RelativeFoldersAreTakenFromWhereTheyWereWritten) {
    EXPECT_EQ(from_text("data:\n  dir: mem\n")->settings.data.dir, "/etc/mem");
    EXPECT_EQ(from_text("data:\n  dir: ~/mem\n")->settings.data.dir, "/home/ann/mem");
    auto sources = bare();
    sources.environment["AETERNA_DATA_DIR"] = "mem";
    EXPECT_EQ(load(sources)->settings.data.dir, "/srv/mem");
}

TEST(Load, SaysWhereAndWhatIsWrong) {
    EXPECT_THAT(
        problem("server:\n  lisen: 127.0.0.1:1\n"),
        testing::AllOf(HasSubstr("/etc/a.yaml:2:"), HasSubstr("did you mean server.listen?")));
    EXPECT_THAT(problem("listen: 127.0.0.1:1\n"), HasSubstr("did you mean server.listen?"));
    EXPECT_THAT(problem("\nlimits:\n  content_bytes: lots\n"),
                testing::AllOf(HasSubstr("/etc/a.yaml:3:"), HasSubstr("limits.content_bytes"),
                               HasSubstr("not a size")));
    EXPECT_THAT(problem("limits:\n  json_depth: 1000\n"), HasSubstr("from 4 to 256, not 1000"));
    EXPECT_THAT(problem("deadlines:\n  read: 5\n"), HasSubstr("not a duration"));
    EXPECT_THAT(problem("server:\n  listen: [a, b]\n"), HasSubstr("not a list"));
    EXPECT_THAT(problem("server: 8080\n"), HasSubstr("no setting server"));
    EXPECT_THAT(problem("embedding:\n  provider: openai\n"), HasSubstr("embedding.url"));
    EXPECT_THAT(problem("limits:\n  content_bytes: 2MiB\n"), HasSubstr("does not fit"));
}

TEST(Load, NamesEveryProblemAtOnce) {
    auto sources = bare();
    sources.environment["AETERNA_LOG_LEVEL"] = "loud";
    const auto loaded = from_text("nothing: 1\nserver.listen: here\n", sources);
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().message, testing::AllOf(HasSubstr("a.yaml:1"), HasSubstr("a.yaml:2"),
                                                       HasSubstr("AETERNA_LOG_LEVEL")));
}

TEST(Load, NeverShowsASecret) {
    const auto loaded = from_text("embedding:\n  api_key: hunter2\n");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->settings.embedding.api_key, "hunter2");
    EXPECT_EQ(described(*loaded, "embedding.api_key").value, "(set)");
    auto sources = bare();
    sources.environment["AETERNA_EMBEDDING_API_KEY"] = "hunter2\n";
    const auto broken = load(sources);
    ASSERT_FALSE(broken);
    EXPECT_THAT(broken.error().message, Not(HasSubstr("hunter2")));
}

TEST(Load, WarnsOfVariablesThatLookMistyped) {
    auto sources = bare();
    sources.environment["AETERNA_LISTN"] = "x";
    sources.environment["AETERNA_URL"] = "http://127.0.0.1:8080";
    sources.environment["AETERNA_MEMORY_SERVICE_HOST"] = "10.0.0.1";
    EXPECT_THAT(load(sources)->warnings, ElementsAre(HasSubstr("did you mean AETERNA_LISTEN?")));
}

class Folder : public testing::Test {
  protected:
    Folder() {
        char name[] = "/tmp/aeterna-config-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() override { std::filesystem::remove_all(path); }
    void write(const std::filesystem::path& file, std::string_view text) const {
        std::filesystem::create_directories((path / file).parent_path());
        std::ofstream(path / file) << text;
    }
    std::filesystem::path path;
};

TEST_F(Folder, FileIsFoundByFlagThenVariableThenXdgThenSystem) {
    write("flag.yaml", "log.level: error\n");
    write("env.yaml", "log.level: warn\n");
    write("xdg/aeterna/config.yaml", "log.level: debug\n");
    write("system.yaml", "log.format: json\n");
    auto sources = bare();
    sources.system_file = path / "system.yaml";
    EXPECT_EQ(load(sources)->settings.log.format, LogFormat::kJson);
    sources.environment["XDG_CONFIG_HOME"] = path / "xdg";
    EXPECT_EQ(load(sources)->settings.log.level, LogLevel::kDebug);
    sources.environment["AETERNA_CONFIG"] = path / "env.yaml";
    EXPECT_EQ(load(sources)->settings.log.level, LogLevel::kWarn);
    sources.file = path / "flag.yaml";
    EXPECT_EQ(load(sources)->settings.log.level, LogLevel::kError);
}

TEST_F(Folder, ANamedFileMustBeReadable) {
    auto sources = bare();
    sources.file = path / "missing.yaml";
    EXPECT_THAT(load(sources).error().message, HasSubstr("No such file"));
    sources.file = path;
    EXPECT_THAT(load(sources).error().message, HasSubstr("Is a directory"));
    sources.file = "/dev/zero";
    EXPECT_FALSE(load(sources));
}

std::string yaml_problem(std::string_view text) {
    const auto entries = read_yaml(text, "f");
    return entries ? std::string("no error") : entries.error().message;
}

TEST(Yaml, FlattensMaps) {
    const auto entries = read_yaml("a:\n  b: 1\n  c: [x, 'y']\nd.e: \"text\"\n", "f");
    ASSERT_TRUE(entries) << entries.error().message;
    ASSERT_EQ(entries->size(), 3U);
    EXPECT_EQ((*entries)[0].name, "a.b");
    EXPECT_EQ((*entries)[0].line, 2);
    EXPECT_EQ((*entries)[1].name, "a.c");
    EXPECT_TRUE((*entries)[1].value.list);
    EXPECT_THAT((*entries)[1].value.texts, ElementsAre("x", "y"));
    EXPECT_EQ((*entries)[2].name, "d.e");
    EXPECT_EQ((*entries)[2].line, 4);
}

TEST(Yaml, AnEmptyFileSaysNothing) {
    for (const auto* text : {"", "\n", "# only a comment\n", "---\n", "{}\n"}) {
        const auto entries = read_yaml(text, "f");
        ASSERT_TRUE(entries) << text << entries.error().message;
        EXPECT_TRUE(entries->empty());
    }
}

TEST(Yaml, RefusesWhatTwoPeopleCouldReadInTwoWays) {
    EXPECT_THAT(yaml_problem("a: 1\nb: 2\na: 3\n"),
                HasSubstr("f:3: a was already given on line 1"));
    EXPECT_THAT(yaml_problem("a:\n  b: 1\na.b: 2\n"), HasSubstr("already given on line 2"));
    EXPECT_THAT(yaml_problem("a: &x 1\n"), HasSubstr("anchors"));
    EXPECT_THAT(yaml_problem("a: *x\n"), HasSubstr("f:1"));
    EXPECT_THAT(yaml_problem("a: !!int 1\n"), HasSubstr("tags"));
    EXPECT_THAT(yaml_problem("a:\n"), HasSubstr("a has no value"));
    EXPECT_THAT(yaml_problem("a: 1\n---\nb: 2\n"), HasSubstr("one document"));
    EXPECT_THAT(yaml_problem("- a\n"), HasSubstr("not a list"));
    EXPECT_THAT(yaml_problem("text\n"), HasSubstr("name: value"));
    EXPECT_THAT(yaml_problem("a: [[1]]\n"), HasSubstr("list in a list"));
    EXPECT_THAT(yaml_problem("a: [{b: 1}]\n"), HasSubstr("plain values"));
    EXPECT_THAT(yaml_problem("? [a]\n: 1\n"), HasSubstr("cannot be a name"));
    EXPECT_THAT(yaml_problem("a: b: c\n"), HasSubstr("is not YAML"));
    EXPECT_THAT(yaml_problem(std::string("a: \0b", 5)), HasSubstr("UTF-8"));
    EXPECT_THAT(yaml_problem("a: \xff\n"), HasSubstr("UTF-8"));
}

TEST(Yaml, StaysSmallWhateverItIsGiven) {
    EXPECT_THAT(yaml_problem(std::string(kMaxYamlBytes + 1, '#')), HasSubstr("longer than"));
    EXPECT_THAT(yaml_problem("a: " + std::string(100'000, '[')), Not(HasSubstr("no error")));
    EXPECT_THAT(yaml_problem(std::string(100'000, '{')), Not(HasSubstr("no error")));
    std::string bomb = "a: &a [x, x]\n";
    for (char c = 'b'; c <= 'z'; ++c)
        bomb += std::string(1, c) + ": &" + c + " [*" + static_cast<char>(c - 1) + "]\n";
    EXPECT_THAT(yaml_problem(bomb), HasSubstr("anchors"));
    std::string deep;
    for (int i = 0; i < 20; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "k:\n";
    EXPECT_THAT(yaml_problem(deep + std::string(20, ' ') + "k: 1\n"), HasSubstr("deeper"));
    std::string many = "roles:\n";
    for (int i = 0; i < 3000; ++i) many += "- a\n";
    EXPECT_THAT(yaml_problem(many), HasSubstr("more than 2000"));
}

}  // namespace
}  // namespace aeterna::config
