#include "net/http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::net {
namespace {

using testing::HasSubstr;

TEST(Headers, compare_without_case_and_keep_order_and_repeats) {
    Headers headers;
    headers.add("X-A", "1");
    headers.add("x-b", "2");
    headers.add("x-a", "3");
    EXPECT_EQ(headers.find("X-a"), "1");
    EXPECT_EQ(headers.count("x-A"), 2U);
    EXPECT_EQ(headers.find("X-C"), std::nullopt);
    headers.set("x-A", "4");
    ASSERT_EQ(headers.all().size(), 2U);
    EXPECT_EQ(headers.all()[0].value, "4");
    EXPECT_EQ(headers.all()[1].value, "2");
    headers.set("X-C", "5");
    EXPECT_EQ(headers.find("x-c"), "5");
    headers.erase("X-B");
    EXPECT_EQ(headers.find("x-b"), std::nullopt);
}

TEST(Endpoint, reads_and_writes_every_form) {
    const auto check = [](std::string_view text, std::string_view address, int port,
                          std::string_view shown) {
        const auto got = Endpoint::parse(text);
        ASSERT_TRUE(got.has_value()) << text;
        EXPECT_EQ(got->address, address);
        EXPECT_EQ(got->port, port);
        EXPECT_EQ(got->str(), shown);
    };
    check("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080");
    check("[::1]:0", "::1", 0, "[::1]:0");
    check("[0:0::0:1]:65535", "::1", 65535, "[::1]:65535");
    check("localhost:1", "127.0.0.1", 1, "127.0.0.1:1");
    check(":9090", "::", 9090, "[::]:9090");
}

TEST(Endpoint, says_what_is_wrong) {
    for (const char* text :
         {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x",
          "example.com:80", "::1:80", "[127.0.0.1]:80", "[]:80", "[::1:80", " 127.0.0.1:80"}) {
        const auto got = Endpoint::parse(text);
        ASSERT_FALSE(got.has_value()) << text;
        EXPECT_EQ(got.error().code, Code::kMalformed);
        EXPECT_THAT(got.error().message, HasSubstr("127.0.0.1:8080"));
    }
}

TEST(Endpoint, knows_loopback) {
    EXPECT_TRUE((Endpoint{"127.0.0.1", 1}.loopback()));
    EXPECT_TRUE((Endpoint{"127.9.8.7", 1}.loopback()));
    EXPECT_TRUE((Endpoint{"::1", 1}.loopback()));
    EXPECT_TRUE((Endpoint{"::ffff:127.0.0.1", 1}.loopback()));
    EXPECT_FALSE((Endpoint{"::ffff:10.0.0.1", 1}.loopback()));
    EXPECT_FALSE((Endpoint{"::", 1}.loopback()));
    EXPECT_FALSE((Endpoint{"0.0.0.0", 1}.loopback()));
    EXPECT_FALSE((Endpoint{"10.0.0.1", 1}.loopback()));
    EXPECT_FALSE((Endpoint{"", 1}.loopback()));
}

TEST(PercentCoding, survives_a_round_trip) {
    const std::string text = "a b/ü?&=+%~\n";
    EXPECT_EQ(percent_encode(text), "a%20b%2F%C3%BC%3F%26%3D%2B%25~%0A");
    EXPECT_EQ(percent_decode(percent_encode(text)), text);
    EXPECT_EQ(percent_decode("a+b/c"), "a+b/c");
    EXPECT_EQ(percent_decode("%c3%BC"), "ü");
}

TEST(PercentCoding, refuses_what_is_not_text) {
    for (const char* text : {"%", "%4", "%zz", "a%", "%00", "%ff", "%c3", "a b", "\x7f", "ü"}) {
        EXPECT_EQ(percent_decode(text), std::nullopt) << text;
    }
}

TEST(QueryParameter, finds_one_value) {
    EXPECT_EQ(*query_parameter("a=1&b=2", "b"), "2");
    EXPECT_EQ(*query_parameter("a=1&b=x+y%2B", "b"), "x y+");
    EXPECT_EQ(*query_parameter("%61=1", "a"), "1");
    EXPECT_EQ(*query_parameter("a&b=", "a"), "");
    EXPECT_EQ(*query_parameter("&&b==&", "b"), "=");
    EXPECT_EQ(*query_parameter("a=1", "b"), std::nullopt);
    EXPECT_EQ(*query_parameter("", "b"), std::nullopt);
}

TEST(QueryParameter, refuses_repeats_and_bad_escapes) {
    for (const char* query : {"a=1&a=2", "a=%zz", "a=%ff", "%zz=1&a=1"}) {
        const auto got = query_parameter(query, "a");
        ASSERT_FALSE(got.has_value()) << query;
        EXPECT_EQ(got.error().code, Code::kMalformed);
    }
    EXPECT_TRUE(query_parameter("b=%zz&a=1", "a").has_value());
}

TEST(ReasonPhrase, knows_what_the_contract_uses) {
    for (const int status :
         {200, 201, 204, 400, 401, 403, 404, 408, 409, 413, 414, 422, 429, 431, 500, 501, 503}) {
        EXPECT_NE(reason_phrase(status), "Unknown") << status;
    }
    EXPECT_EQ(reason_phrase(299), "Unknown");
}

}  // namespace
}  // namespace aeterna::net
