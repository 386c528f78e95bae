#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"

namespace aeterna {
namespace {

TEST(Time, WritesAndReadsRfc3339) {
    const auto at = parse_rfc3339("2026-02-28T23:59:59.123456Z");
    ASSERT_TRUE(at);
    EXPECT_EQ(to_rfc3339(*at), "2026-02-28T23:59:59.123456Z");
    EXPECT_EQ(parse_rfc3339("2026-03-01T01:59:59.1234567+02:00"), at);
    EXPECT_EQ(parse_rfc3339("2026-02-28t18:59:59.123456-05:00"), at);
    EXPECT_EQ(to_rfc3339(from_micros(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(Time, RefusesWhatIsNotATime) {
    for (const char* text :
         {"", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z",
          "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx",
          "2026-01-01T00:60:00Z", "tomorrow", "2026-01-01T00:00:00+25:00"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

TEST(Deadline, NeverHasLessThanNothingLeft) {
    const auto past = Deadline::after(std::chrono::milliseconds(-50));
    EXPECT_TRUE(past.passed());
    EXPECT_EQ(past.left().count(), 0);
    const auto later = Deadline::after(std::chrono::hours(1));
    EXPECT_EQ(later.sooner(past).moment(), past.moment());
}

TEST(Uuid, RoundTripsAndRefuses) {
    const auto id = Uuid::parse("01912d68-783e-7a9b-8ca1-0123456789AB");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->str(), "01912d68-783e-7a9b-8ca1-0123456789ab");
    for (const char* text :
         {"", "01912d68783e7a9b8ca10123456789ab", "01912d68-783e-7a9b-8ca1-0123456789ag",
          "01912d68-783e-7a9b-8ca1-0123456789a", "-1912d68-783e-7a9b-8ca1-0123456789ab"}) {
        EXPECT_FALSE(Uuid::parse(text)) << text;
    }
}

TEST(Uuid, AscendsWithinAMillisecondAndWhenTheClockStepsBack) {
    auto& source = system_uuid_source();
    Timestamp now = *parse_rfc3339("2099-01-01T00:00:00Z");
    Uuid last = source.next(now);
    for (int i = 0; i < 10'000; ++i) {
        if (i == 5'000) now -= std::chrono::hours(1);
        const Uuid next = source.next(now);
        ASSERT_LT(last, next);
        EXPECT_EQ(next.bytes[6] >> 4, 7);
        EXPECT_EQ(next.bytes[8] >> 6, 2);
        last = next;
    }
}

TEST(Uuid, DiffersAcrossThreads) {
    std::vector<std::vector<Uuid>> made(4);
    std::vector<std::thread> threads;
    for (auto& mine : made) {
        threads.emplace_back([&mine] {
            for (int i = 0; i < 2'000; ++i)
                mine.push_back(system_uuid_source().next(SystemClock().now()));
        });
    }
    std::set<Uuid> all;
    for (auto& thread : threads) thread.join();
    for (const auto& mine : made) all.insert(mine.begin(), mine.end());
    EXPECT_EQ(all.size(), 8'000U);
}

TEST(Text, KnowsUtf8) {
    EXPECT_TRUE(is_valid_utf8("naïve – 日本 🙂"));
    for (const char* bad : {"\xff", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                            "a\xe2\x82", "\x80"}) {
        EXPECT_FALSE(is_valid_utf8(bad));
    }
}

TEST(Text, NormalisesTrimsAndCuts) {
    EXPECT_EQ(to_nfc("cafe\xcc\x81"), "caf\xc3\xa9");
    EXPECT_EQ(trim("\xc2\xa0 \t x y \n\xe2\x80\x83"), "x y");
    EXPECT_EQ(trim("  "), "");
    EXPECT_EQ(cut_utf8("aé", 2), "a");
    EXPECT_EQ(cut_utf8("aé", 3), "aé");
    EXPECT_EQ(count_code_points("aé日🙂"), 4U);
}

TEST(Hash, MatchesKnownValues) {
    EXPECT_EQ(to_hex(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const std::string digits = "123456789";
    EXPECT_EQ(crc32c({reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()}),
              0xe3069283U);
    EXPECT_EQ(base64_encode("any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    for (const std::string text : {"", "f", "fo", "foo", "\xff\xfe\x00x"}) {
        EXPECT_EQ(base64url_decode(base64url_encode(text)), text);
    }
    EXPECT_FALSE(base64url_decode("a"));
    EXPECT_FALSE(base64url_decode("ab=="));
    EXPECT_FALSE(base64url_decode("a_9"));  // bits that no encoder sets
}

TEST(Error, EveryCodeAnswersTheThreeQuestions) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
        const auto& row = traits(static_cast<Code>(i));
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_GE(row.status, 400);
        // What may have happened is never the caller's fault, and asking again must be allowed.
        if (row.effect == Effect::kUnknown && row.fault != Fault::kAeterna)
            EXPECT_TRUE(row.retryable);
        if (row.fault == Fault::kCaller) EXPECT_LT(row.status, 500);
    }
}

}  // namespace
}  // namespace aeterna
