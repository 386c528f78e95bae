#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "api/rest/gate.hpp"
#include "api/rest/reply.hpp"
#include "api/rest/rest_api.hpp"

namespace aeterna::rest {
namespace {

class NoKeys final : public security::KeyStore {
  public:
    task<result<void>> put_key(security::ApiKey, Deadline) override { co_return result<void>{}; }
    task<result<std::optional<security::ApiKey>>> find_key(KeyId, Deadline) override {
        co_return std::nullopt;
    }
    task<result<std::vector<security::ApiKey>>> list_keys(TenantId, Deadline) override {
        co_return std::vector<security::ApiKey>{};
    }
    task<result<bool>> revoke_key(TenantId, KeyId, Timestamp, Deadline) override {
        co_return false;
    }
    task<result<bool>> any_key(Deadline) override { co_return false; }
};

template <class T>
T run(task<T> work) {
    asio::io_context loop;
    std::optional<T> out;
    asio::co_spawn(loop, std::move(work),
                   [&](std::exception_ptr, T value) { out.emplace(std::move(value)); });
    loop.run();
    return std::move(*out);
}

net::HttpRequest request_of(std::string method, std::string path) {
    net::HttpRequest request;
    request.method = std::move(method);
    request.target = request.path = std::move(path);
    request.peer = {"127.0.0.1", 40000};
    request.arrived = std::chrono::steady_clock::now();
    request.headers.set("Host", "localhost:8080");
    request.headers.set("Content-Type", "application/json");
    return request;
}

Route answering(int status) {
    return [status](Exchange exchange) {
        return [](int code, Exchange call) -> task<net::HttpResponse> {
            json::Object body;
            for (std::size_t i = 0; i < call.parameters.size(); ++i)
                body[std::to_string(i)] = call.parameters[i];
            body["left"] = call.deadline.left().count();
            co_return json_response(code, body);
        }(status, std::move(exchange));
    };
}

TEST(Router, PrefersLiteralPartsAndDecodesParameters) {
    Router router;
    router.add("GET", "/m/{id}", answering(1));
    router.add("POST", "/m/add", answering(2));
    router.add("GET", "/m/{id}/history", answering(3));
    const auto one = router.find("GET", "/m/a%20b");
    ASSERT_TRUE(one);
    EXPECT_EQ(one->pattern, "/m/{id}");
    EXPECT_EQ(one->parameters, std::vector<std::string>{"a b"});
    EXPECT_EQ(router.find("POST", "/m/add")->pattern, "/m/add");
    EXPECT_EQ(router.find("HEAD", "/m/x")->pattern, "/m/{id}");
    EXPECT_EQ(router.find("PUT", "/m/x").error().code, Code::kMethodNotAllowed);
    for (const char* path :
         {"/", "/m", "/m/", "/m//history", "/m/%zz", "/m/%00", "/m/x/history/y", "/m/x/"}) {
        const auto found = router.find("GET", path);
        ASSERT_FALSE(found) << path;
        EXPECT_EQ(found.error().code, Code::kNotFound) << path;
    }
}

TEST(Gate, HoldsTheLoopbackRule) {
    NoKeys keys;
    SystemClock clock;
    const Gate gate(keys, clock, {true, {"box.lan"}, {"https://app.example"}});
    const auto admit = [&](const std::function<void(net::HttpRequest&)>& change) {
        auto request = request_of("POST", "/x");
        change(request);
        auto who = run(gate.admit(request, Deadline::after(std::chrono::seconds(1))));
        return who ? std::string("ok") : std::string(who.error().machine_code());
    };
    EXPECT_EQ(admit([](auto&) {}), "ok");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Host", "[::1]:8080"); }), "ok");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Host", "box.lan:1"); }), "ok");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Host", "localhost.evil.example"); }),
              "unknown_host");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Host", ""); }), "unknown_host");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Origin", "http://localhost:3000"); }), "ok");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Origin", "https://app.example"); }), "ok");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Origin", "https://app.example.evil"); }),
              "origin_not_allowed");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Origin", "null"); }), "origin_not_allowed");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Content-Type", "text/plain"); }), "content_type");
    EXPECT_EQ(admit([](auto& r) { r.peer = {"192.0.2.1", 1}; }), "token_required");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Authorization", "Basic eDp5"); }), "bad_token");
    EXPECT_EQ(admit([](auto& r) { r.headers.set("Authorization", "Bearer aet_x"); }), "bad_token");
    const Gate closed(keys, clock, {});
    EXPECT_FALSE(
        run(closed.admit(request_of("GET", "/x"), Deadline::after(std::chrono::seconds(1)))));
}

TEST(RestApi, GivesEveryAnswerAnIdAndADeadline) {
    NoKeys keys;
    SystemClock clock;
    const Gate gate(keys, clock, {true, {}, {}});
    RestApi api(gate, clock, {});
    api.add("GET", "/r", RouteKind::kRead, answering(200));
    api.add("POST", "/w", RouteKind::kWrite, answering(200));
    api.add_not_built("/later", "later");
    const auto left = [&](net::HttpRequest request) {
        const auto answer = run(api.handle(std::move(request)));
        return json::parse_object(answer.body)->at("left").as_int64();
    };
    EXPECT_NEAR(static_cast<double>(left(request_of("GET", "/r"))), 10'000, 500);
    EXPECT_NEAR(static_cast<double>(left(request_of("POST", "/w"))), 30'000, 500);
    auto quick = request_of("GET", "/r");
    quick.headers.set("X-Request-Timeout", "1500");
    EXPECT_NEAR(static_cast<double>(left(quick)), 1'500, 500);
    for (const char* bad : {"0", "-1", "1.5", "601000", "abc", ""}) {
        auto request = request_of("GET", "/r");
        request.headers.set("X-Request-Timeout", bad);
        EXPECT_EQ(run(api.handle(request)).status, 400) << bad;
    }
    auto named = request_of("GET", "/nowhere");
    named.headers.set("X-Request-Id", "abc");
    const auto answer = run(api.handle(named));
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.headers.find("X-Request-Id"), "abc");
    EXPECT_EQ(json::parse_object(answer.body)->at("requestId").as_string(), "abc");
    EXPECT_EQ(run(api.handle(request_of("GET", "/later/x"))).status, 501);
    EXPECT_EQ(run(api.handle(request_of("GET", "/laterx"))).status, 404);
}

TEST(Claims, CoverMethodPathConditionAndMeaningOfTheBody) {
    Exchange exchange{request_of("POST", "/w"),
                      security::loopback_principal(),
                      Deadline::after(std::chrono::seconds(1)),
                      "id",
                      {}};
    EXPECT_FALSE(*claim_of(exchange, nullptr));
    exchange.request.headers.set("Idempotency-Key", "k");
    const auto body = *json::parse(R"({"a":1,"b":2})");
    const auto same = *json::parse(R"({"b":2,"a":1})");
    const auto first = (*claim_of(exchange, body))->fingerprint;
    EXPECT_EQ((*claim_of(exchange, same))->fingerprint, first);
    EXPECT_NE((*claim_of(exchange, *json::parse(R"({"a":1})")))->fingerprint, first);
    exchange.request.path = "/other";
    EXPECT_NE((*claim_of(exchange, body))->fingerprint, first);
    exchange.request.headers.set("Idempotency-Key", std::string(256, 'k'));
    EXPECT_FALSE(claim_of(exchange, body));
}

TEST(IfMatch, ReadsVersions) {
    auto request = request_of("PUT", "/x");
    EXPECT_EQ(*if_match(request), std::nullopt);
    request.headers.set("If-Match", "\"7\"");
    EXPECT_EQ(*if_match(request), 7);
    request.headers.set("If-Match", "*");
    EXPECT_EQ(*if_match(request), std::nullopt);
    for (const char* bad : {"\"x\"", "0", "-3", "\"\"", "W/\"1\""}) {
        request.headers.set("If-Match", bad);
        EXPECT_FALSE(if_match(request)) << bad;
    }
}

}  // namespace
}  // namespace aeterna::rest
