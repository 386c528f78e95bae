#include "json/codec.hpp"

#include <gtest/gtest.h>

namespace aeterna::json {
namespace {

std::string reason_of(std::string_view text, std::size_t depth = 32) {
    auto value = parse(text, {depth});
    return value ? "ok" : std::string(value.error().machine_code());
}

TEST(JsonParse, RefusesWhatTheContractRefuses) {
    EXPECT_EQ(reason_of(R"({"a":1})"), "ok");
    EXPECT_EQ(reason_of(" {} \n"), "ok");
    EXPECT_EQ(reason_of(""), "malformed_json");
    EXPECT_EQ(reason_of("{"), "malformed_json");
    EXPECT_EQ(reason_of("{} x"), "malformed_json");
    EXPECT_EQ(reason_of("[1,]"), "malformed_json");
    EXPECT_EQ(reason_of("NaN"), "malformed_json");
    EXPECT_EQ(reason_of("{\"a\":\"\xff\"}"), "bad_utf8");
    EXPECT_EQ(reason_of(R"({"a":"x\u0000y"})"), "nul_character");
    EXPECT_EQ(reason_of(R"({"a\u0000":1})"), "nul_character");
    EXPECT_EQ(reason_of(R"({"a":1,"b":{"c":[],"c":2}})"), "duplicate_member");
    EXPECT_EQ(reason_of(R"({"a":1,"\u0061":2})"), "duplicate_member");
    EXPECT_EQ(reason_of(R"([{"a":"x\"{,"},{"a":","}])"), "ok");
    EXPECT_EQ(reason_of("[1e999]"), "out_of_range");
}

TEST(JsonParse, HoldsTheDepthLimitExactly) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_EQ(reason_of(nested(32)), "ok");
    EXPECT_EQ(reason_of(nested(33)), "too_deep");
    EXPECT_EQ(reason_of(nested(100000)), "too_deep");
}

TEST(JsonCanonical, IgnoresOrderAndSpacing) {
    const auto a = parse(R"({"b":[1,{"z":1,"y":2}],"a":"x"})");
    const auto b = parse(R"( { "a" : "x", "b":[1,{"y":2,"z":1}] })");
    ASSERT_TRUE(a && b);
    EXPECT_EQ(canonical(*a), canonical(*b));
    EXPECT_EQ(canonical(*a), R"({"a":"x","b":[1,{"y":2,"z":1}]})");
}

TEST(JsonWrite, IsForPeopleAndReadsBackTheSame) {
    const std::string text =
        R"({"half":0.5,"one":1.0,"tiny":1e-09,"big":1e+300,"i":-7,"u":18446744073709551615,"s":"a\"\\\n\u0001é","n":null,"t":true,"l":[[],{}]})";
    const auto value = parse(text);
    ASSERT_TRUE(value);
    EXPECT_EQ(write(*value), text);
    EXPECT_EQ(*parse(write(*value)), *value);
}

TEST(JsonParse, ReadsEveryDoubleExactly) {
    std::uint64_t state = 42;
    for (int i = 0; i < 20'000; ++i) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        const double number = static_cast<double>(state >> 11) * 0x1p-53;
        const auto value = parse(write(Array{"x\\\"1.5", 7, number, -number}));
        ASSERT_TRUE(value);
        ASSERT_EQ(value->at(2).get_double(), number);
        ASSERT_EQ(value->at(3).get_double(), -number);
    }
}

TEST(JsonReader, KeepsTheFirstMistakeAndNamesThePath) {
    const auto body = parse_object(R"({"limit":"ten","query":5})");
    ASSERT_TRUE(body);
    Reader reader(*body, "search");
    (void)reader.integer("limit", 1, 100);
    (void)reader.text("query", 10);
    ASSERT_TRUE(reader.error());
    EXPECT_EQ(reader.error()->message, "search.limit must be a whole number");
}

TEST(JsonReader, RefusesMembersNobodyAskedFor) {
    const auto body = parse_object(R"({"a":1,"bb":2})");
    ASSERT_TRUE(body);
    Reader reader(*body, "");
    EXPECT_EQ(reader.integer("a", 0, 5), 1);
    const auto done = reader.finish();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().machine_code(), "unknown_field");
    EXPECT_NE(done.error().message.find("bb"), std::string::npos);
}

TEST(JsonReader, HoldsLimitsAndRanges) {
    const auto body = parse_object(R"({"text":"12345","n":1.5,"big":1e300,"list":["a",1]})");
    ASSERT_TRUE(body);
    {
        Reader reader(*body, "");
        EXPECT_EQ(reader.required_text("text", 5), "12345");
        EXPECT_EQ(reader.number("n", 0, 2), 1.5);
        EXPECT_FALSE(reader.error());
    }
    {
        Reader reader(*body, "");
        EXPECT_FALSE(reader.text("text", 4));
        EXPECT_EQ(reader.error()->code, Code::kTooLarge);
    }
    {
        Reader reader(*body, "");
        EXPECT_FALSE(reader.integer("big", 0, 100));
        EXPECT_EQ(reader.error()->code, Code::kMalformed);
    }
    {
        Reader reader(*body, "");
        EXPECT_TRUE(reader.texts("list", 5, 10).empty());
        EXPECT_EQ(reader.error()->machine_code(), "wrong_type");
    }
}

}  // namespace
}  // namespace aeterna::json
