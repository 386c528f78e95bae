#include "cli/render.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/retry.hpp"
#include "cli/table.hpp"
#include "cli/transfer.hpp"
#include "cli/width.hpp"

namespace aeterna::cli {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

TEST(Width, CountsColumnsNotBytes) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("naïve"), 5U);
    EXPECT_EQ(display_width("記憶"), 4U);
    EXPECT_EQ(display_width("e\u0301"), 1U);
    EXPECT_EQ(display_width("\xff"), 1U);
}

TEST(Width, CutsAndWrapsByColumns) {
    EXPECT_EQ(ellipsis("abcdef", 4), "abc…");
    EXPECT_EQ(ellipsis("記憶記憶", 5), "記憶…");
    EXPECT_EQ(ellipsis("abc", 3), "abc");
    EXPECT_EQ(ellipsis("abc", 0), "");
    EXPECT_THAT(wrap("one two three", 7), ElementsAre("one two", "three"));
    EXPECT_THAT(wrap("abcdefgh ij", 4), ElementsAre("abcd", "efgh", "ij"));
    EXPECT_THAT(wrap("a\n\nb", 10), ElementsAre("a", "", "b"));
    EXPECT_THAT(wrap("", 10), ElementsAre(""));
    EXPECT_THAT(wrap("one two three four", 7, 2), ElementsAre("one two", "three…"));
    EXPECT_THAT(wrap("記憶記憶", 4), ElementsAre("記憶", "記憶"));
    for (const auto& line : wrap(std::string(10'000, 'x'), 80)) EXPECT_LE(display_width(line), 80U);
}

TEST(Width, TextsCannotSteerTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
    EXPECT_EQ(printable("a\r\nb\tc"), "a b c");
    EXPECT_EQ(printable("a\nb", true), "a\nb");
    EXPECT_EQ(printable("\u202egnp.exe"), "\\u{202e}gnp.exe");
    EXPECT_EQ(printable("\xc2\x9b"), "\\u{9b}");
    EXPECT_EQ(printable("a\xff"), "a\ufffd");
    EXPECT_EQ(printable(std::string_view("\0", 1)), "\\u{0}");
}

TEST(Tables, KeepToTheWidth) {
    Table table({{"N", true}, {"NAME", false, false, 8}, {"TEXT", false, true}});
    table.add({"1", "a very long name", std::string(300, 'x') + " 記憶 " + std::string(50, 'y')},
              "note");
    table.add({"20", "b", "short"});
    for (const std::size_t width : {40U, 80U, 120U}) {
        Style style;
        style.width = width;
        for (const auto& line : lines_of(table.render(style, 3)))
            EXPECT_LE(display_width(line), width) << line;
    }
    const auto lines = lines_of(table.render({}, 1));
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[0], " N  NAME      TEXT");
    EXPECT_THAT(lines[1], HasSubstr(" 1  a very …  xxx"));
    EXPECT_EQ(lines[2], "              note");
    EXPECT_EQ(lines[3], "20  b         short");
}

TEST(Tables, HaveColourOnlyWhenAsked) {
    Table table({{"A"}});
    table.add({"x"});
    EXPECT_THAT(table.render({}), Not(HasSubstr("\x1b")));
    Style style;
    style.color = true;
    EXPECT_THAT(table.render(style), HasSubstr("\x1b[1mA\x1b[0m"));
}

std::string rendered(const std::string& command, std::string_view body,
                     std::map<std::string, std::vector<std::string>> given = {}) {
    return render({command, std::move(given)}, json::parse(body).value(), {});
}

TEST(Render, SearchShowsScoreContentAndId) {
    const std::string text =
        rendered("memory search", R"({"items":[{"score":0.876,"memory":{"id":"the-id",
        "content":"line\n\u001b[31mtwo","layer":"user","updatedAt":"2026-11-23T20:41:00Z",
        "metadata":{"tags":["x"]}}}],"total":1})");
    EXPECT_THAT(text, HasSubstr(" 0.88  user   line \\u{1b}[31mtwo"));
    EXPECT_THAT(text, HasSubstr("the-id 2026-11-23 20:41 #x"));
    EXPECT_THAT(rendered("memory search", R"({"items":[],"total":0})"), HasSubstr("nothing found"));
}

TEST(Render, ListSaysHowToGoOn) {
    EXPECT_THAT(
        rendered("memory list", R"({"items":[{"id":"i","content":"c"}],"nextCursor":"abc"})"),
        HasSubstr("--cursor abc"));
    EXPECT_THAT(rendered("memory list", R"({"items":[],"nextCursor":null})"),
                HasSubstr("nothing here yet"));
}

TEST(Render, AnswersOfAnotherVersionDoNotBreakIt) {
    for (const auto* command : {"memory add", "memory search", "memory get", "memory list",
                                "memory update", "memory history", "key create", "key list",
                                "status", "index rebuild", "index verify", "import"}) {
        for (const auto* body :
             {"{}", "[]", "null", R"({"items":[1,null,{}],"store":3,"index":[]})",
              R"({"items":{},"memory":5,"identifiers":[],"metadata":"x"})"}) {
            EXPECT_NO_THROW((void)rendered(command, body)) << command << body;
        }
    }
}

net::HttpResponse response(int status, std::string body) {
    net::HttpResponse out;
    out.status = status;
    out.body = std::move(body);
    return out;
}

TEST(Render, ErrorsComeFromTheServersBody) {
    const Error known =
        error_of(response(409, R"({"error":"version_conflict","message":"read it again"})"));
    EXPECT_EQ(known.code, Code::kConflict);
    EXPECT_EQ(known.machine_code(), "version_conflict");
    EXPECT_EQ(known.message, "read it again");
    const Error foreign = error_of(response(404, "<html>"));
    EXPECT_EQ(foreign.code, Code::kNotFound);
    EXPECT_THAT(foreign.message, HasSubstr("is it an Aeterna server?"));
    EXPECT_EQ(error_of(response(401, "")).code, Code::kUnauthenticated);
    EXPECT_EQ(error_of(response(503, "")).code, Code::kUnavailable);
    EXPECT_EQ(error_of(response(500, "")).code, Code::kInternal);
}

TEST(Render, NumbersForPeople) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(human_bytes(1023), "1023 B");
    EXPECT_EQ(human_bytes(3355443), "3.2 MiB");
}

AttemptEnd answered(int status, std::optional<milliseconds> after = std::nullopt) {
    return {status, after, std::nullopt};
}
AttemptEnd broke(Code code) {
    return {std::nullopt, std::nullopt, code};
}
constexpr milliseconds kPlenty{30'000};

TEST(Retries, AnswersAreFinalButForBusyOnes) {
    for (const int status : {200, 201, 204, 400, 401, 404, 409, 422, 500, 501}) {
        EXPECT_EQ(Retry(true).step(answered(status), kPlenty, 1).next, Retry::Next::kDone)
            << status;
    }
    for (const int status : {429, 503}) {
        EXPECT_EQ(Retry(false).step(answered(status), kPlenty, 1).next, Retry::Next::kAgain)
            << status;
    }
    EXPECT_EQ(Retry(true).step(answered(502), kPlenty, 1).next, Retry::Next::kAgain);
    EXPECT_EQ(Retry(false).step(answered(502), kPlenty, 1).next, Retry::Next::kDone);
}

TEST(Retries, ABrokenConnectionIsRepeatedOnlyWhereThatIsHarmless) {
    EXPECT_EQ(Retry(true).step(broke(Code::kOutcomeUnknown), kPlenty, 1).next, Retry::Next::kAgain);
    EXPECT_EQ(Retry(false).step(broke(Code::kOutcomeUnknown), kPlenty, 1).next, Retry::Next::kDone);
    EXPECT_EQ(Retry(true).step(broke(Code::kDeadlineExceeded), kPlenty, 1).next,
              Retry::Next::kDone);
    EXPECT_EQ(Retry(true).step(broke(Code::kMalformed), kPlenty, 1).next, Retry::Next::kDone);
}

TEST(Retries, NoServerIsSaidSoonButALostOneIsWaitedFor) {
    Retry never(true);
    EXPECT_EQ(never.step(broke(Code::kUnavailable), kPlenty, 1).next, Retry::Next::kAgain);
    EXPECT_EQ(never.step(broke(Code::kUnavailable), kPlenty, 1).next, Retry::Next::kAgain);
    EXPECT_EQ(never.step(broke(Code::kUnavailable), kPlenty, 1).next, Retry::Next::kDone);
    Retry lost(true);
    EXPECT_EQ(lost.step(broke(Code::kOutcomeUnknown), kPlenty, 1).next, Retry::Next::kAgain);
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(lost.step(broke(Code::kUnavailable), kPlenty, 1).next, Retry::Next::kAgain);
    EXPECT_EQ(lost.step(broke(Code::kUnavailable), milliseconds(500), 1).next, Retry::Next::kDone);
}

TEST(Retries, WaitsGrowAreSpreadAndHonourRetryAfter) {
    Retry retry(true);
    EXPECT_EQ(retry.step(answered(503), kPlenty, 1).wait, milliseconds(100));
    EXPECT_EQ(retry.step(answered(503), kPlenty, 0).wait, milliseconds(100));
    EXPECT_EQ(retry.step(answered(503), kPlenty, 1).wait, milliseconds(400));
    EXPECT_EQ(retry.step(answered(503, milliseconds(3000)), kPlenty, 1).wait, milliseconds(3000));
    for (int i = 0; i < 40; ++i)
        EXPECT_LE(retry.step(answered(503), kPlenty, 1).wait, milliseconds(2000));
    EXPECT_EQ(retry.step(answered(503, milliseconds(60'000)), kPlenty, 1).next, Retry::Next::kDone);
}

TEST(Import, LinesAreCutIntoBatchesAndNumbered) {
    LineBatches batches(8, 2);
    auto full = batches.feed("a\nb\nc");
    EXPECT_TRUE(full.empty());
    full = batches.feed("c\n0123456789\nd\n");
    ASSERT_EQ(full.size(), 2U);
    EXPECT_EQ(full[0].text, "a\nb\n");
    EXPECT_EQ(full[0].first_line, 1U);
    EXPECT_EQ(full[1].text, "cc\n");
    EXPECT_EQ(full[1].first_line, 3U);
    full = batches.feed("last");
    EXPECT_TRUE(full.empty());
    const auto rest = batches.finish();
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].text, "d\nlast\n");
    EXPECT_EQ(rest[0].first_line, 5U);
    ASSERT_EQ(batches.too_long().size(), 1U);
    EXPECT_EQ(batches.too_long()[0].line, 4U);
}

TEST(Import, EmptyInputHasNoBatch) {
    LineBatches batches(100, 100);
    EXPECT_TRUE(batches.feed("").empty());
    EXPECT_TRUE(batches.finish().empty());
}

TEST(Import, BatchesNeverExceedTheLimit) {
    LineBatches batches(10, 100);
    std::string joined;
    for (const char c : std::string("123\n4567\n89\n\nabcdefghi\nxyz")) {
        for (auto& batch : batches.feed(std::string(1, c))) {
            EXPECT_LE(batch.text.size(), 10U);
            joined += batch.text;
        }
    }
    for (auto& batch : batches.finish()) {
        EXPECT_LE(batch.text.size(), 10U);
        joined += batch.text;
    }
    EXPECT_EQ(joined, "123\n4567\n89\n\nabcdefghi\nxyz\n");
}

TEST(Import, ReportsAddUpWithLinesOfTheWholeInput) {
    ImportTotals totals;
    totals.add(
        json::parse_object(
            R"({"imported":2,"skipped":1,"failed":1,"errors":[{"line":3,"error":"e","message":"m"}]})")
            .value(),
        1);
    totals.add(
        json::parse_object(
            R"({"imported":1,"skipped":0,"failed":1,"errors":[{"line":1,"error":"e","message":"m"}]})")
            .value(),
        101);
    totals.add_failure(7, "too_large", "long");
    const auto report = totals.report();
    EXPECT_EQ(report.at("imported").to_number<int>(), 3);
    EXPECT_EQ(report.at("failed").to_number<int>(), 3);
    EXPECT_EQ(report.at("errors").as_array().at(1).at("line").to_number<int>(), 101);
    EXPECT_EQ(report.at("errors").as_array().size(), 3U);
}

}  // namespace
}  // namespace aeterna::cli
