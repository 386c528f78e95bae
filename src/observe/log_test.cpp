#include "observe/log.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::log {
namespace {

using testing::HasSubstr;
using testing::Not;

class Log : public testing::Test {
  protected:
    void TearDown() override { configure(Level::kInfo, Format::kText); }
};

template <class Fn>
std::string captured(Fn fn) {
    testing::internal::CaptureStderr();
    fn();
    return testing::internal::GetCapturedStderr();
}

TEST_F(Log, writes_one_json_object_per_line) {
    configure(Level::kInfo, Format::kJson);
    const std::string out = captured([] {
        info("request", {{"status", 200}, {"ms", 1.5}, {"ok", true}, {"path", "/a\n\"b\""}});
    });
    ASSERT_EQ(out.find('\n'), out.size() - 1);
    const auto line = boost::json::parse(out).as_object();
    EXPECT_EQ(line.at("level").as_string(), "info");
    EXPECT_EQ(line.at("event").as_string(), "request");
    EXPECT_EQ(line.at("status").as_int64(), 200);
    EXPECT_EQ(line.at("ms").as_double(), 1.5);
    EXPECT_TRUE(line.at("ok").as_bool());
    EXPECT_EQ(line.at("path").as_string(), "/a\n\"b\"");
    EXPECT_EQ(line.at("time").as_string().back(), 'Z');
}

TEST_F(Log, bad_bytes_never_break_a_json_line) {
    configure(Level::kInfo, Format::kJson);
    std::string every;
    for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
    const std::string out = captured([&] { info("bytes", {{"value", every}}); });
    boost::json::error_code error;
    const auto value = boost::json::parse(out, error);
    ASSERT_FALSE(error) << error.message() << out;
    EXPECT_THAT(std::string(value.at("value").as_string()), HasSubstr("\xef\xbf\xbd"));
}

TEST_F(Log, text_is_aligned_and_cannot_be_forged) {
    const std::string out =
        captured([] { warn("disk_slow", {{"path", "/var"}, {"note", "a\nb"}}); });
    EXPECT_THAT(out, HasSubstr(" warn  disk_slow                    path=/var note=\"a\\nb\"\n"));
    EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

TEST_F(Log, the_level_decides) {
    configure(Level::kError, Format::kText);
    EXPECT_FALSE(enabled(Level::kWarn));
    EXPECT_TRUE(enabled(Level::kError));
    EXPECT_EQ(captured([] { warn("quiet"); }), "");
    EXPECT_THAT(captured([] { error("loud"); }), HasSubstr("loud"));
}

TEST_F(Log, limited_says_how_many_were_left_out) {
    configure(Level::kInfo, Format::kJson);
    const auto started = std::chrono::steady_clock::now();
    const std::string out = captured([&] {
        limited(Level::kWarn, "flood", "first");
        limited(Level::kWarn, "other", "other");
        while (std::chrono::steady_clock::now() - started < std::chrono::milliseconds(900)) {
            limited(Level::kWarn, "flood", "left_out");
        }
    });
    // A busy machine may have reached the next second: then the count is on its line.
    if (std::chrono::steady_clock::now() - started >= std::chrono::seconds(1)) GTEST_SKIP();
    EXPECT_THAT(out, HasSubstr("first"));
    EXPECT_THAT(out, HasSubstr("other"));
    EXPECT_THAT(out, Not(HasSubstr("left_out")));
    const std::string next = captured([&] {
        while (std::chrono::steady_clock::now() - started < std::chrono::milliseconds(1010)) {
            std::this_thread::yield();
        }
        limited(Level::kWarn, "flood", "next");
    });
    EXPECT_GT(boost::json::parse(next).at("suppressed").as_int64(), 1);
}

TEST_F(Log, lines_of_many_threads_stay_whole) {
    configure(Level::kInfo, Format::kJson);
    const std::string out = captured([] {
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([t] {
                for (int i = 0; i < 100; ++i) info("line", {{"thread", t}, {"i", i}});
            });
        }
        for (auto& thread : threads) thread.join();
    });
    int lines = 0;
    for (std::size_t at = 0; at < out.size(); ++lines) {
        const std::size_t end = out.find('\n', at);
        ASSERT_NE(end, std::string::npos);
        boost::json::error_code error;
        boost::json::parse(out.substr(at, end - at), error);
        ASSERT_FALSE(error) << out.substr(at, end - at);
        at = end + 1;
    }
    EXPECT_EQ(lines, 400);
}

}  // namespace
}  // namespace aeterna::log
