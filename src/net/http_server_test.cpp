#include "net/http_server.hpp"

#include <atomic>
#include <future>
#include <stdexcept>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/raw_socket.hpp"

namespace aeterna::net {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Waits for a condition that another thread brings about; false after ten seconds.
template <class Condition>
bool eventually(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

class CountingProbe final : public HttpServerProbe {
  public:
    std::atomic<int> open = 0;
    std::atomic<int> malformed = 0, too_large = 0, timeout = 0, full = 0;
    void connection_opened() override { ++open; }
    void connection_closed() override { --open; }
    void rejected(std::string_view why) override {
        if (why == "malformed") ++malformed;
        if (why == "too_large") ++too_large;
        if (why == "timeout") ++timeout;
        if (why == "full") ++full;
    }
};

class HttpServerTest : public testing::Test {
  protected:
    Runtime runtime{{.loops = 2, .blocking = 1}};
    CountingProbe probe;
    std::unique_ptr<HttpServer> server;
    std::uint16_t port = 0;
    std::promise<void> release;  // of "/hold"
    std::shared_future<void> released = release.get_future().share();
    std::atomic<int> holding = 0;
    std::atomic<int> streams = 0;
    std::atomic<int> handled = 0;

    void TearDown() override {
        // Before the members that the handlers use.
        server.reset();
        runtime.stop();
    }

    void start(HttpServerOptions options = {}) {
        options.listen = {"127.0.0.1", 0};
        server = std::make_unique<HttpServer>(
            runtime, options,
            [this](HttpRequest request) { return handle(this, std::move(request)); }, &probe);
        const auto bound = server->listen();
        ASSERT_TRUE(bound.has_value()) << bound.error().message;
        port = bound->port;
        server->start();
    }

    std::string ask(std::string_view request) {
        RawSocket socket(port);
        socket.send(request);
        return socket.read_all();
    }

    static task<HttpResponse> handle(HttpServerTest* test, HttpRequest request) {
        ++test->handled;
        HttpResponse response;
        response.headers.add("Content-Type", "text/plain");
        if (request.path == "/echo") {
            response.body = request.method + ' ' + request.target + ' ' + request.body;
        } else if (request.path == "/peer") {
            response.body = request.peer.address;
        } else if (request.path == "/throw") {
            throw std::runtime_error("secret detail");
        } else if (request.path == "/big") {
            response.body.assign(8'000'000, 'b');
        } else if (request.path == "/split") {
            response.headers.add("X-A", "a\r\nX-Evil: 1");
            response.headers.add("X-B: c\r\nX", "d");
            response.headers.add("X-Good", "e");
            response.headers.add("Content-Length", "77");
        } else if (request.path == "/empty") {
            response.status = 204;
        } else if (request.path == "/close") {
            response.headers.add("Connection", "close");
        } else if (request.path == "/status") {
            response.status = 7;
        } else if (request.path == "/hold") {
            ++test->holding;
            co_await test->runtime.blocking([&] { test->released.wait(); });
            response.body = "held";
        } else if (request.path == "/stream") {
            response.stream = [](BodyWriter& out) -> task<void> {
                for (const char* piece : {"one", "", "two", "three"}) {
                    if (!co_await out.write(piece)) co_return;
                }
            };
        } else if (request.path == "/stream-throw") {
            response.stream = [](BodyWriter& out) -> task<void> {
                (void)co_await out.write("one");
                throw std::runtime_error("source broke");
            };
        } else if (request.path == "/flood") {
            response.stream = [test](BodyWriter& out) { return flood(test, out); };
        } else if (request.path == "/events") {
            response.headers.set("Content-Type", "text/event-stream; charset=utf-8");
            response.stream = [test](BodyWriter& out) { return events(test, out); };
        } else {
            response.status = 404;
        }
        co_return response;
    }

    static task<void> flood(HttpServerTest* test, BodyWriter& out) {
        ++test->streams;
        while (co_await out.write(std::string(100'000, 'f'))) {
        }
        --test->streams;
    }

    struct CountDown {
        std::atomic<int>& count;
        ~CountDown() { --count; }
    };
    /// One event, then silence: only the cancellation can end it.
    static task<void> events(HttpServerTest* test, BodyWriter& out) {
        ++test->streams;
        const CountDown down{test->streams};
        (void)co_await out.write("data: hello\n\n");
        co_await sleep_for(1h);
    }
};

const std::string kEcho = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";

std::string get(std::string_view path, std::string_view more = "") {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}

TEST_F(HttpServerTest, answers_with_a_complete_head) {
    start();
    const std::string answer = ask(get("/echo?a=b", "Connection: close\r\n"));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_THAT(answer, HasSubstr(" GMT\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 14\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /echo?a=b "));
}

TEST_F(HttpServerTest, keeps_the_connection_and_tells_the_peer) {
    start();
    RawSocket socket(port);
    for (int i = 0; i < 3; ++i) {
        socket.send(get("/peer"));
        const std::string answer = socket.read_answer();
        EXPECT_THAT(answer, EndsWith("\r\n\r\n127.0.0.1"));
        EXPECT_THAT(answer, Not(HasSubstr("Connection:")));
    }
    EXPECT_EQ(server->connections(), 1U);
}

TEST_F(HttpServerTest, answers_pipelined_requests_in_order) {
    start();
    std::string all;
    for (int i = 0; i < 16; ++i) all += get("/echo?" + std::to_string(i));
    RawSocket socket(port);
    socket.send(all);
    for (int i = 0; i < 16; ++i) {
        EXPECT_THAT(socket.read_answer(), EndsWith("GET /echo?" + std::to_string(i) + " "));
    }
}

TEST_F(HttpServerTest, does_not_read_ahead_without_bound) {
    start();
    RawSocket socket(port);
    socket.send(get("/hold"));
    ASSERT_TRUE(eventually([&] { return holding == 1; }));
    std::atomic<std::size_t> sent = 0;
    std::thread pusher([&] {
        const std::string request = get("/echo");
        for (int i = 0; i < 400'000 && socket.send(request); ++i) sent += request.size();
    });
    // The sender comes to rest although the server has answered nothing.
    std::size_t before = 1;
    ASSERT_TRUE(eventually([&] {
        std::this_thread::sleep_for(100ms);
        return std::exchange(before, sent.load()) == sent;
    }));
    EXPECT_LT(sent, 12'000'000U);
    EXPECT_EQ(handled, 1);
    server.reset();  // cuts the connection
    release.set_value();
    pusher.join();
}

TEST_F(HttpServerTest, takes_requests_cut_at_every_byte) {
    start();
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    RawSocket socket(port);
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
        socket.send(request.substr(0, cut));
        std::this_thread::yield();
        socket.send(request.substr(cut));
        ASSERT_THAT(socket.read_answer(), EndsWith("POST /echo hi")) << cut;
    }
}

TEST_F(HttpServerTest, head_is_get_without_the_body) {
    start();
    RawSocket socket(port);
    socket.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string plain = socket.read_until("\r\n\r\n");
    EXPECT_THAT(plain, HasSubstr("Content-Length: 10\r\n"));
    EXPECT_THAT(socket.read_until("\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Transfer-Encoding: chunked\r\n")));
    socket.send(kEcho);
    EXPECT_THAT(socket.read_answer(), EndsWith("GET /echo "));
}

TEST_F(HttpServerTest, statuses_without_a_body_have_no_length) {
    start();
    RawSocket socket(port);
    socket.send(get("/empty") + kEcho);
    EXPECT_THAT(socket.read_until("\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.1 204 No Content"), Not(HasSubstr("Content-Length"))));
    EXPECT_THAT(socket.read_answer(), EndsWith("GET /echo "));
}

TEST_F(HttpServerTest, speaks_http_1_0_and_closes) {
    start();
    EXPECT_THAT(ask("GET /echo HTTP/1.0\r\n\r\n"),
                AllOf(StartsWith("HTTP/1.0 200"), HasSubstr("Connection: close\r\n"),
                      EndsWith("GET /echo ")));
    const std::string streamed = ask("GET /stream HTTP/1.0\r\n\r\n");
    EXPECT_THAT(streamed, EndsWith("\r\n\r\nonetwothree"));
    EXPECT_THAT(streamed, Not(HasSubstr("chunked")));
}

TEST_F(HttpServerTest, a_handler_may_close) {
    start();
    EXPECT_THAT(ask(get("/close") + kEcho), Not(HasSubstr("GET /echo")));
}

TEST_F(HttpServerTest, a_half_closed_client_gets_its_answer) {
    start();
    RawSocket socket(port);
    socket.send(kEcho);
    socket.half_close();
    EXPECT_THAT(socket.read_all(), EndsWith("GET /echo "));
}

TEST_F(HttpServerTest, sends_answers_larger_than_any_buffer) {
    start();
    RawSocket socket(port);
    socket.send(get("/big"));
    const std::string answer = socket.read_answer();
    EXPECT_THAT(answer.substr(0, 100), StartsWith("HTTP/1.1 200"));
    EXPECT_GT(answer.size(), 8'000'000U);
}

TEST_F(HttpServerTest, a_throwing_handler_is_a_500_without_its_text) {
    start();
    RawSocket socket(port);
    socket.send(get("/throw"));
    const std::string answer = socket.read_answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
    socket.send(get("/status"));
    EXPECT_THAT(socket.read_answer(), StartsWith("HTTP/1.1 500 "));
    socket.send(kEcho);
    EXPECT_THAT(socket.read_answer(), EndsWith("GET /echo "));
}

TEST_F(HttpServerTest, a_handler_cannot_split_the_answer) {
    start();
    RawSocket socket(port);
    socket.send(get("/split"));
    const std::string answer = socket.read_answer();
    EXPECT_THAT(answer, Not(HasSubstr("Evil")));
    EXPECT_THAT(answer, Not(HasSubstr("X-B")));
    EXPECT_THAT(answer, AllOf(HasSubstr("X-Good: e\r\n"), HasSubstr("Content-Length: 0\r\n")));
}

TEST_F(HttpServerTest, rejections_carry_the_error_body_and_close) {
    start();
    const std::string answer = ask("GET / HTTP/1.1\r\n\r\n" + kEcho);
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 400 Bad Request\r\n"),
                              HasSubstr("Connection: close\r\n"),
                              HasSubstr("Content-Type: application/json\r\n")));
    const auto body = boost::json::parse(answer.substr(answer.find("\r\n\r\n") + 4)).as_object();
    EXPECT_EQ(body.at("error").as_string(), "malformed");
    EXPECT_FALSE(body.at("retryable").as_bool());
    EXPECT_THAT(std::string(body.at("message").as_string()), HasSubstr("Host"));
    EXPECT_THAT(answer,
                HasSubstr("X-Request-Id: " + std::string(body.at("requestId").as_string())));
    EXPECT_EQ(handled, 0);
    EXPECT_EQ(probe.malformed, 1);
}

TEST_F(HttpServerTest, a_refused_upload_can_read_its_answer) {
    start();
    RawSocket socket(port);
    socket.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    // Sent whole against the refusal, as simple clients do.
    EXPECT_TRUE(socket.send(std::string(3'000'000, 'u')));
    socket.half_close();
    EXPECT_THAT(socket.read_all(), StartsWith("HTTP/1.1 413 "));
    EXPECT_EQ(probe.too_large, 1);
    EXPECT_EQ(handled, 0);
}

TEST_F(HttpServerTest, continues_when_asked) {
    start();
    RawSocket socket(port);
    socket.send(
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.send("hi");
    EXPECT_THAT(socket.read_answer(), EndsWith("POST /echo hi"));
}

TEST_F(HttpServerTest, slow_heads_and_bodies_time_out) {
    start({.header_timeout = 60ms, .body_timeout = 60ms});
    RawSocket silent(port);
    RawSocket head(port);
    RawSocket body(port);
    head.send("GET /echo HT");
    body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi");
    EXPECT_THAT(head.read_all(),
                AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("\"retryable\":true")));
    EXPECT_THAT(body.read_all(), StartsWith("HTTP/1.1 408 "));
    EXPECT_EQ(silent.read_all(), "");
    EXPECT_EQ(probe.timeout, 2);
}

TEST_F(HttpServerTest, a_drip_does_not_keep_a_head_alive) {
    start({.header_timeout = 100ms});
    RawSocket socket(port);
    const auto started = std::chrono::steady_clock::now();
    socket.send("GET /echo HTTP/1.1\r\nX: ");
    while (probe.timeout == 0 && std::chrono::steady_clock::now() - started < 5s) {
        socket.send("a");
        std::this_thread::sleep_for(5ms);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);
}

TEST_F(HttpServerTest, idle_connections_close_without_a_word) {
    start({.idle_timeout = 60ms});
    RawSocket socket(port);
    socket.send(kEcho);
    socket.read_answer();
    EXPECT_TRUE(socket.closed());
    EXPECT_EQ(probe.timeout, 0);
}

TEST_F(HttpServerTest, a_reader_that_stops_is_cut) {
    start({.write_timeout = 60ms});
    RawSocket socket(port);
    socket.receive_buffer(4096);
    socket.send(get("/flood"));
    EXPECT_TRUE(eventually([&] { return probe.timeout == 1; }));
    EXPECT_TRUE(eventually([&] { return streams == 0 && server->connections() == 0; }));
}

TEST_F(HttpServerTest, streams_in_chunks_and_goes_on) {
    start();
    RawSocket socket(port);
    socket.send(get("/stream") + kEcho);
    EXPECT_THAT(socket.read_until("\r\n\r\n"), HasSubstr("Transfer-Encoding: chunked\r\n"));
    EXPECT_EQ(socket.read_until("0\r\n\r\n"), "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n");
    EXPECT_THAT(socket.read_answer(), EndsWith("GET /echo "));
}

TEST_F(HttpServerTest, a_broken_source_leaves_the_answer_incomplete) {
    start();
    const std::string answer = ask(get("/stream-throw"));
    EXPECT_THAT(answer, EndsWith("3\r\none\r\n"));
}

TEST_F(HttpServerTest, a_stream_ends_when_its_reader_goes) {
    start();
    {
        RawSocket flooded(port);
        flooded.send(get("/flood"));
        flooded.read_exactly(1000);
        EXPECT_EQ(streams, 1);
    }
    EXPECT_TRUE(eventually([&] { return streams == 0 && server->connections() == 0; }));
}

TEST_F(HttpServerTest, a_silent_event_stream_ends_when_its_reader_goes) {
    start();
    RawSocket closing(port);
    RawSocket resetting(port);
    for (RawSocket* socket : {&closing, &resetting}) {
        socket->send(get("/events"));
        EXPECT_THAT(socket->read_until("hello\n\n"), HasSubstr("data: hello"));
    }
    EXPECT_EQ(streams, 2);
    closing.half_close();
    resetting.abort();
    EXPECT_TRUE(eventually([&] { return streams == 0 && server->connections() == 0; }));
}

TEST_F(HttpServerTest, a_pipelined_request_does_not_end_an_event_stream) {
    start();
    RawSocket socket(port);
    socket.send(get("/events") + kEcho);
    EXPECT_THAT(socket.read_until("hello\n\n"), HasSubstr("data: hello"));
    socket.send(std::string(10'000, 'x'));
    EXPECT_EQ(streams, 1);
    EXPECT_EQ(handled, 1);
}

TEST_F(HttpServerTest, says_so_when_it_is_full) {
    start({.max_connections = 2});
    RawSocket first(port);
    RawSocket second(port);
    for (RawSocket* socket : {&first, &second}) {
        socket->send(kEcho);
        EXPECT_THAT(socket->read_answer(), StartsWith("HTTP/1.1 200"));
    }
    EXPECT_THAT(ask(kEcho), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: "),
                                  HasSubstr("\"error\":\"overloaded\"")));
    EXPECT_EQ(probe.full, 1);
    {
        const RawSocket gone(std::move(first));
    }
    EXPECT_TRUE(eventually([&] { return server->connections() < 2; }));
    EXPECT_THAT(ask(get("/echo", "Connection: close\r\n")), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, bodies_of_all_connections_are_bounded) {
    start({.body_memory = 1000});
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 800\r\n\r\n";
    // First and second share a loop (the other has one connection too), so that the answer to the
    // first one's GET says that its body will be counted before the second one's.
    RawSocket first(port);
    first.send(kEcho);
    first.read_answer();
    RawSocket other(port);
    other.send(kEcho);
    other.read_answer();
    first.send(kEcho + head + std::string(700, 'a'));
    first.read_answer();
    RawSocket second(port);
    second.send(head + std::string(700, 'b'));
    EXPECT_THAT(second.read_answer(), StartsWith("HTTP/1.1 503 "));
    first.send(std::string(100, 'a'));
    EXPECT_THAT(first.read_answer(), StartsWith("HTTP/1.1 200 "));
    first.send(head + std::string(800, 'c'));
    EXPECT_THAT(first.read_answer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, a_taken_port_is_refused_and_its_owner_named) {
    start();
    for (const char* address : {"127.0.0.1", "0.0.0.0", "::"}) {
        HttpServer other(runtime, {.listen = {address, port}},
                         [this](HttpRequest r) { return handle(this, std::move(r)); });
        const auto bound = other.listen();
        ASSERT_FALSE(bound.has_value()) << address;
        EXPECT_EQ(bound.error().code, Code::kUnavailable);
        EXPECT_EQ(bound.error().reason, "address_in_use");
        EXPECT_THAT(bound.error().message, HasSubstr(":" + std::to_string(port)));
        EXPECT_THAT(bound.error().message,
                    HasSubstr("test_net (pid " + std::to_string(::getpid()) + ")"));
    }
    HttpServer nowhere(runtime, {.listen = {"192.0.2.1", 0}},
                       [this](HttpRequest r) { return handle(this, std::move(r)); });
    EXPECT_THAT(nowhere.listen().error().message, HasSubstr("192.0.2.1:0"));
}

TEST_F(HttpServerTest, out_of_descriptors_it_waits_and_goes_on) {
#if __has_feature(address_sanitizer)
    GTEST_SKIP() << "the sanitizer itself needs a descriptor for its checks of types";
#endif
    start();
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    RawSocket held(port);
    held.send(kEcho);
    held.read_answer();
    testing::internal::CaptureStderr();
    // The lowest free descriptor is the client's and the last one allowed: the accept has none.
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(fd) + 1;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    RawSocket client(fd, port, RawSocket::kConnect);
    client.send(kEcho);
    for (int i = 0; i < 3; ++i) {
        held.send(kEcho);
        EXPECT_THAT(held.read_answer(), EndsWith("GET /echo ")) << "open connections go on";
    }
    EXPECT_EQ(server->connections(), 1U);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_THAT(client.read_answer(), EndsWith("GET /echo "));
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("accept_failed"));
}

TEST_F(HttpServerTest, drain_lets_the_running_finish_and_closes_the_rest) {
    start();
    RawSocket idle(port);
    idle.send(kEcho);
    idle.read_answer();
    RawSocket events(port);
    events.send(get("/events"));
    events.read_until("hello\n\n");
    RawSocket running(port);
    running.send(get("/hold"));
    ASSERT_TRUE(eventually([&] { return holding == 1; }));

    auto drained =
        asio::co_spawn(runtime.loop(1), server->drain(Deadline::after(10s)), asio::use_future);
    EXPECT_TRUE(idle.closed());
    EXPECT_TRUE(eventually([&] { return streams == 0; }));
    EXPECT_THROW(RawSocket late(port), std::runtime_error);
    EXPECT_EQ(drained.wait_for(0ms), std::future_status::timeout);
    release.set_value();
    const std::string answer = running.read_all();
    EXPECT_THAT(answer, AllOf(HasSubstr("Connection: close\r\n"), EndsWith("held")));
    drained.get();
    EXPECT_EQ(server->connections(), 0U);
    EXPECT_EQ(probe.open, 0);
}

TEST_F(HttpServerTest, drain_cuts_at_its_deadline) {
    start();
    RawSocket flooded(port);
    flooded.receive_buffer(4096);
    flooded.send(get("/flood"));
    flooded.read_exactly(100);
    RawSocket slow(port);
    slow.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhi");
    const auto started = std::chrono::steady_clock::now();
    asio::co_spawn(runtime.loop(0), server->drain(Deadline::after(100ms)), asio::use_future).get();
    EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
    EXPECT_EQ(slow.read_all(), "");
    EXPECT_EQ(server->connections(), 0U);
}

TEST_F(HttpServerTest, many_clients_at_once) {
    start();
    std::vector<std::thread> clients;
    std::atomic<int> good = 0;
    for (int c = 0; c < 8; ++c) {
        clients.emplace_back([&, c] {
            RawSocket socket(port);
            for (int i = 0; i < 100; ++i) {
                const std::string mark = std::to_string(c) + "-" + std::to_string(i);
                socket.send(get("/echo?" + mark));
                if (socket.read_answer().ends_with("GET /echo?" + mark + " ")) ++good;
            }
        });
    }
    for (auto& client : clients) client.join();
    EXPECT_EQ(good, 800);
    EXPECT_TRUE(eventually([&] { return probe.open == 0; }));
}

}  // namespace
}  // namespace aeterna::net
