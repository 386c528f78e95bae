#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/completion.hpp"
#include "cli/help.hpp"
#include "cli/parse.hpp"
#include "cli/requests.hpp"
#include "cli/spec.hpp"
#include "cli/width.hpp"

namespace aeterna::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kId = "0190f3c2-7a51-7d3e-9c1b-2f6f5f0c9a11";

Invocation understood(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    if (!parsed) {
        ADD_FAILURE() << parsed.error().message;
        return {};
    }
    if (!std::holds_alternative<Invocation>(*parsed)) {
        ADD_FAILURE() << "help was shown";
        return {};
    }
    return std::get<Invocation>(*parsed);
}
std::string complaint(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    return parsed ? std::string("understood") : parsed.error().message;
}
std::string help_shown(const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    if (!parsed || !std::holds_alternative<HelpWanted>(*parsed)) return "none";
    return std::get<HelpWanted>(*parsed).command;
}

TEST(Parse, FindsCommandAndOptions) {
    const auto line = understood({"memory", "add", "some text", "--tag", "a", "--tag=b", "--json"});
    EXPECT_EQ(line.command, "memory add");
    EXPECT_EQ(line.one("TEXT"), "some text");
    EXPECT_THAT(line.all("--tag"), ElementsAre("a", "b"));
    EXPECT_TRUE(line.has("--json"));
    EXPECT_FALSE(line.has("--layer"));
}

TEST(Parse, AListOptionTakesOneValueEachTime) {
    const auto line = understood({"memory", "search", "--tag", "a", "the query"});
    EXPECT_THAT(line.all("--tag"), ElementsAre("a"));
    EXPECT_EQ(line.one("QUERY"), "the query");
}

TEST(Parse, TextsMayLookLikeCommandsAndNumbersBeNegative) {
    EXPECT_EQ(understood({"memory", "add", "search"}).one("TEXT"), "search");
    EXPECT_EQ(understood({"memory", "add", "- a point"}).one("TEXT"), "- a point");
    EXPECT_EQ(understood({"memory", "add", "-"}).one("TEXT"), "-");
    EXPECT_EQ(understood({"memory", "add", "--", "--odd"}).one("TEXT"), "--odd");
    EXPECT_EQ(understood({"memory", "add", "50% off [a,b] {x}"}).one("TEXT"), "50% off [a,b] {x}");
    EXPECT_EQ(understood({"memory", "add", "\"quoted\" 'text'"}).one("TEXT"), "\"quoted\" 'text'");
    EXPECT_EQ(
        understood({"memory", "feedback", kId, "duplicate", "--score", "-0.5"}).one("--score"),
        "-0.5");
}

TEST(Parse, TakesSeveralIdsOnlyWhereSeveralAreMeant) {
    EXPECT_THAT(understood({"memory", "delete", "a", "b"}).all("ID"), ElementsAre("a", "b"));
    EXPECT_THAT(complaint({"memory", "get", "a", "b"}), HasSubstr("one word too many"));
}

TEST(Parse, SaysWhatIsWrongAndWhatWasMeant) {
    EXPECT_THAT(complaint({"memroy"}), HasSubstr("did you mean memory?"));
    EXPECT_THAT(complaint({"memory", "serach", "x"}), HasSubstr("did you mean search?"));
    EXPECT_THAT(complaint({"memory", "add", "x", "--projet", "y"}),
                AllOf(HasSubstr("\"--projet\""), HasSubstr("did you mean --project?")));
    EXPECT_THAT(complaint({"memory", "add", "x", "--layer", "users"}),
                AllOf(HasSubstr("must be one of agent, user"), HasSubstr("did you mean user?")));
    EXPECT_THAT(complaint({"memory", "add"}), HasSubstr("TEXT is missing"));
    EXPECT_THAT(complaint({"memory", "add", "x", "--tag"}), HasSubstr("--tag needs a value"));
    EXPECT_THAT(complaint({"memory", "add", "x", "--layer"}), HasSubstr("--layer"));
    EXPECT_THAT(complaint({"memory", "add", "x", "--user", "a", "--user", "b"}),
                HasSubstr("--user may be given only once"));
    EXPECT_THAT(complaint({"memory", "add", "\xff"}), HasSubstr("UTF-8"));
    EXPECT_THAT(complaint({"memory", "add", "a", "b"}), HasSubstr("quotes"));
}

TEST(Parse, HelpWinsAnywhere) {
    EXPECT_EQ(help_shown({}), "");
    EXPECT_EQ(help_shown({"--help"}), "");
    EXPECT_EQ(help_shown({"memory"}), "memory");
    EXPECT_EQ(help_shown({"memory", "add", "--help"}), "memory add");
    EXPECT_EQ(help_shown({"memory", "add", "x", "-h", "--wrong"}), "memory add");
    EXPECT_EQ(understood({"memory", "add", "--", "--help"}).one("TEXT"), "--help");
    EXPECT_EQ(understood({"--version"}).command, "version");
}

void each_command(const CommandSpec& spec, const std::string& path,
                  const std::function<void(const CommandSpec&, const std::string&)>& visit) {
    visit(spec, path);
    for (const auto& child : spec.children)
        each_command(child, path.empty() ? child.name : path + " " + child.name, visit);
}

TEST(Help, FitsEightyColumnsAndHasAnExampleForEveryCommand) {
    each_command(program(), "", [](const CommandSpec& spec, const std::string& path) {
        const std::string text = help_text(spec, path, {});
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            EXPECT_LE(display_width(text.substr(at, end - at)), 80U) << text.substr(at, end - at);
            at = end + 1;
        }
        if (spec.children.empty()) EXPECT_THAT(text, HasSubstr("Examples")) << path;
        for (const auto& option : spec.options) EXPECT_THAT(text, HasSubstr(option.name)) << path;
    });
}

/// The words of an example, as a shell would split it (quotes only).
std::vector<std::string> shell_words(const std::string& text) {
    std::vector<std::string> out;
    std::string word;
    bool quoted = false;
    bool any = false;
    for (const char c : text) {
        if (c == '"' || c == '\'') {
            quoted = !quoted;
            any = true;
        } else if (c == ' ' && !quoted) {
            if (any) out.push_back(word);
            word.clear();
            any = false;
        } else {
            word += c;
            any = true;
        }
    }
    if (any) out.push_back(word);
    return out;
}

TEST(Help, ExamplesAreUnderstood) {
    each_command(program(), "", [](const CommandSpec& spec, const std::string&) {
        for (const std::string& example : spec.examples) {
            const std::size_t from = example.find("aeterna ");
            std::vector<std::string> words;
            for (const auto& word : shell_words(example.substr(from + 8))) {
                if (word == "|" || word == ">" || word.ends_with(')')) {
                    if (word.ends_with(')')) words.push_back(word.substr(0, word.size() - 1));
                    break;
                }
                words.push_back(word);
            }
            EXPECT_EQ(complaint(words), "understood") << example;
        }
    });
}

TEST(Completion, NamesEveryCommandAndFlag) {
    for (const auto* shell : {"bash", "zsh", "fish"}) {
        const std::string script = completion_script(program(), shell);
        each_command(program(), "", [&](const CommandSpec& spec, const std::string& path) {
            EXPECT_THAT(script, HasSubstr(path)) << shell;
            for (const auto& option : spec.options) {
                if (!option.positional())
                    EXPECT_THAT(script, HasSubstr(option.name.substr(2))) << shell << " " << path;
            }
        });
    }
}

const Defaults kDefaults{"ann", *parse_rfc3339("2026-11-23T20:00:00Z")};

Call only_call(const std::vector<std::string>& words) {
    const auto calls = calls_for(understood(words), kDefaults);
    if (!calls || calls->size() != 1) {
        ADD_FAILURE() << (calls ? "not one call" : calls.error().message);
        return {};
    }
    return calls->front();
}
std::string request_problem(const std::vector<std::string>& words) {
    const auto calls = calls_for(understood(words), kDefaults);
    return calls ? "none" : calls.error().message;
}

TEST(Requests, AddGoesToTheUsersOwnLayerByDefault) {
    const Call call = only_call({"memory", "add", "x"});
    EXPECT_EQ(call.method, "POST");
    EXPECT_EQ(call.target, "/api/v1/memory/add");
    EXPECT_TRUE(call.keyed);
    EXPECT_EQ(
        call.body,
        json::parse(R"({"content":"x","layer":"user","identifiers":{"userId":"ann"}})").value());
}

TEST(Requests, TheMostSpecificIdentifierDecidesTheLayer) {
    EXPECT_EQ(
        only_call({"memory", "add", "x", "--project", "p", "--team", "t"}).body,
        json::parse(
            R"({"content":"x","layer":"project","identifiers":{"projectId":"p","teamId":"t"}})")
            .value());
    EXPECT_EQ(only_call({"memory", "add", "x", "--agent", "a"}).body,
              json::parse(
                  R"({"content":"x","layer":"agent","identifiers":{"agentId":"a","userId":"ann"}})")
                  .value());
    EXPECT_EQ(only_call({"memory", "add", "x", "--layer", "team", "--team", "t", "--project", "p"})
                  .body.at("layer"),
              "team");
}

TEST(Requests, AddCarriesEverythingGiven) {
    const Call call =
        only_call({"memory", "add", "x", "--tag", "a", "--importance", "0.25", "--expires", "2d",
                   "--metadata", R"({"k":1})", "--source-type", "chat"});
    EXPECT_EQ(call.body,
              json::parse(R"({"content":"x","layer":"user","identifiers":{"userId":"ann"},
        "metadata":{"k":1,"tags":["a"],"source":{"type":"chat"}},"importance":0.25,
        "expiresAt":"2026-11-25T20:00:00.000000Z"})")
                  .value());
}

TEST(Requests, SearchLooksThroughTheLayersOfAllIdentifiers) {
    const Call call = only_call({"memory", "search", "q", "--project", "p", "-n", "3", "--tag", "t",
                                 "--since", "2026-01-31", "--explain", "--threshold", "0.5"});
    EXPECT_FALSE(call.keyed);
    EXPECT_EQ(call.body,
              json::parse(R"({"query":"q","identifiers":{"projectId":"p","userId":"ann"},"limit":3,
        "threshold":0.5,"explain":true,"filters":{"tags":["t"],"createdAfter":"2026-01-31T00:00:00Z"}})")
                  .value());
    EXPECT_EQ(
        only_call({"memory", "search", "q", "--layer", "user", "-l", "team"}).body.at("layers"),
        json::parse(R"(["user","team"])").value());
}

TEST(Requests, UpdateAndDeleteCarryTheCondition) {
    const Call put =
        only_call({"memory", "update", kId, "new", "--expires", "never", "--if-version", "3"});
    EXPECT_EQ(put.method, "PUT");
    EXPECT_EQ(put.target, std::string("/api/v1/memory/") + kId);
    EXPECT_TRUE(put.keyed);
    ASSERT_EQ(put.headers.size(), 1U);
    EXPECT_EQ(put.headers[0].name, "If-Match");
    EXPECT_EQ(put.headers[0].value, "\"3\"");
    EXPECT_EQ(put.body, json::parse(R"({"content":"new","expiresAt":null})").value());
    const auto deletes = calls_for(understood({"memory", "delete", kId, kId}), kDefaults);
    ASSERT_TRUE(deletes);
    EXPECT_EQ(deletes->size(), 2U);
    EXPECT_EQ(deletes->front().method, "DELETE");
}

TEST(Requests, FeedbackHasAScoreForEveryReward) {
    EXPECT_EQ(only_call({"memory", "feedback", kId, "inaccurate"}).body.at("score"), -1.0);
    EXPECT_EQ(only_call({"memory", "feedback", kId, "helpful", "--score", "0.3"}).body.at("score"),
              0.3);
}

TEST(Requests, GetMayAskForThePast) {
    EXPECT_EQ(only_call({"memory", "get", kId, "--as-of", "2026-01-31T10:00:00+01:00"}).target,
              std::string("/api/v1/memory/") + kId + "?asOf=2026-01-31T10%3A00%3A00%2B01%3A00");
}

TEST(Requests, AKeyIsNeverMadeTwice) {
    const Call call = only_call({"key", "create", "--subject", "ci", "--role", "Viewer"});
    EXPECT_FALSE(call.repeatable);
    EXPECT_EQ(call.body, json::parse(R"({"subject":"ci","roles":["Viewer"]})").value());
}

TEST(Requests, TextsThatAreNoValuesAreUsageErrors) {
    EXPECT_THAT(request_problem({"memory", "get", "../keys"}), HasSubstr("is no id"));
    EXPECT_THAT(request_problem({"memory", "add", "x", "--importance", "2"}),
                HasSubstr("from 0 to 1"));
    EXPECT_THAT(request_problem({"memory", "add", "x", "--importance", "nan"}),
                HasSubstr("from 0 to 1"));
    EXPECT_THAT(request_problem({"memory", "add", "x", "--expires", "soon"}),
                HasSubstr("span such as 30d"));
    EXPECT_THAT(request_problem({"memory", "add", "x", "--metadata", "[1]"}),
                HasSubstr("no JSON object"));
    EXPECT_THAT(request_problem({"memory", "search", "x", "--limit", "101"}),
                HasSubstr("from 1 to 100"));
    EXPECT_THAT(request_problem({"memory", "update", kId}), HasSubstr("nothing to change"));
}

TEST(Requests, EveryRemoteCommandHasItsCall) {
    for (const auto* command :
         {"memory add", "memory search", "memory get", "memory list", "memory update",
          "memory delete", "memory history", "memory feedback", "memory promote", "key create",
          "key list", "key revoke", "index rebuild", "index verify", "status", "export"}) {
        ASSERT_NE(find_command(command), nullptr) << command;
        Invocation line{command,
                        {{"ID", {kId}},
                         {"TEXT", {"x"}},
                         {"QUERY", {"x"}},
                         {"REWARD", {"helpful"}},
                         {"--to", {"team"}},
                         {"--subject", {"s"}}}};
        EXPECT_TRUE(calls_for(line, kDefaults)) << command;
    }
}

}  // namespace
}  // namespace aeterna::cli
