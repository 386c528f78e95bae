#include "net/http_client.hpp"

#include <atomic>
#include <deque>
#include <future>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>

#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_server.hpp"
#include "net/raw_socket.hpp"

namespace aeterna::net {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

/// A fake server: each connection runs the next script, the last one again and again.
class Imposter {
  public:
    using Script = std::function<void(RawSocket&)>;

    explicit Imposter(std::deque<Script> scripts) : scripts_(std::move(scripts)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 ||
            ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0) {
            throw std::runtime_error("imposter");
        }
        port = ntohs(at.sin_port);
        wake_ = ::eventfd(0, 0);
        thread_ = std::thread([this] { run(); });
    }
    ~Imposter() {
        const std::uint64_t one = 1;
        (void)!::write(wake_, &one, sizeof one);
        ::shutdown(current_, SHUT_RDWR);
        thread_.join();
        ::close(wake_);
        ::close(listener_);
    }
    Imposter(const Imposter&) = delete;

    std::uint16_t port = 0;
    std::atomic<int> connections = 0;
    /// For scripts that wait until the test is over.
    void until_the_end() {
        pollfd fds[] = {{wake_, POLLIN, 0}};
        ::poll(fds, 1, 20'000);
    }

  private:
    void run() {
        for (;;) {
            pollfd fds[] = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
            if (::poll(fds, 2, -1) < 0 || fds[1].revents != 0) return;
            const int accepted = ::accept(listener_, nullptr, nullptr);
            RawSocket peer(accepted, 0);
            current_ = accepted;
            ++connections;
            const Script script = scripts_.front();
            if (scripts_.size() > 1) scripts_.pop_front();
            script(peer);
            current_ = -1;
        }
    }

    std::deque<Script> scripts_;
    int listener_ = -1;
    int wake_ = -1;
    std::atomic<int> current_ = -1;  // the peer being served
    std::thread thread_;
};

/// Reads one request without a body and gives this answer.
Imposter::Script answer(std::string text) {
    return [text](RawSocket& peer) {
        peer.read_until("\r\n\r\n");
        peer.send(text);
    };
}

class HttpClientTest : public testing::Test {
  protected:
    Runtime runtime{{.loops = 2, .blocking = 1}};
    std::unique_ptr<HttpClient> client;

    void TearDown() override {
        client.reset();
        runtime.stop();
    }

    void use(std::uint16_t port, HttpClientOptions options = {}, std::string path = "") {
        client = std::make_unique<HttpClient>(Url{false, "127.0.0.1", port, std::move(path)},
                                              std::move(options));
    }
    result<HttpResponse> send(HttpRequest request, std::chrono::milliseconds span = 10s,
                              std::size_t loop = 0) {
        return asio::co_spawn(runtime.loop(loop),
                              client->send(std::move(request), Deadline::after(span)),
                              asio::use_future)
            .get();
    }
    result<HttpResponse> stream(HttpRequest request, std::function<bool(std::string_view)> sink,
                                std::chrono::milliseconds span = 10s) {
        return asio::co_spawn(
                   runtime.loop(0),
                   client->stream(std::move(request), std::move(sink), Deadline::after(span)),
                   asio::use_future)
            .get();
    }
    static HttpRequest request(std::string method, std::string target, std::string body = "") {
        HttpRequest out;
        out.method = std::move(method);
        out.target = std::move(target);
        out.body = std::move(body);
        return out;
    }
    static HttpRequest get(std::string target = "/") { return request("GET", std::move(target)); }
};

TEST(Url, reads_what_is_a_url) {
    const auto check = [](std::string_view text, bool tls, std::string_view host, int port,
                          std::string_view path, std::string_view authority) {
        const auto url = Url::parse(text);
        ASSERT_TRUE(url.has_value()) << text;
        EXPECT_EQ(url->tls, tls);
        EXPECT_EQ(url->host, host);
        EXPECT_EQ(url->port, port);
        EXPECT_EQ(url->path, path);
        EXPECT_EQ(url->authority(), authority);
    };
    check("http://a.b-c", false, "a.b-c", 80, "", "a.b-c");
    check("HTTPS://a:8443/x/y//", true, "a", 8443, "/x/y", "a:8443");
    check("https://[::1]/", true, "::1", 443, "", "[::1]");
    check("http://[::1]:81", false, "::1", 81, "", "[::1]:81");
    check("http://127.0.0.1:8080", false, "127.0.0.1", 8080, "", "127.0.0.1:8080");
    for (const char* bad :
         {"", "a", "ftp://a", "http://", "http:///x", "http://a:", "http://a:0", "http://a:65536",
          "http://a:b", "http://u@a", "http://a?b", "http://a#b", "http://a b", "http://[::1",
          "http://[a]", "http://::1", "http://\xc3\xbc"}) {
        const auto url = Url::parse(bad);
        ASSERT_FALSE(url.has_value()) << bad;
        EXPECT_EQ(url.error().code, Code::kMalformed);
    }
}

TEST_F(HttpClientTest, talks_to_our_server_on_one_connection) {
    HttpServer server(runtime, {.listen = {"127.0.0.1", 0}},
                      [](HttpRequest in) -> task<HttpResponse> {
                          HttpResponse out;
                          out.status = 201;
                          out.headers.add("X-Seen", in.headers.find("X-Given").value_or("").data());
                          out.body = in.method + " " + in.target + " " + in.body;
                          co_return out;
                      });
    const auto bound = server.listen();
    ASSERT_TRUE(bound.has_value());
    server.start();
    use(bound->port, {}, "/base");
    for (int i = 0; i < 3; ++i) {
        HttpRequest post = request("POST", "/x?y", "body" + std::to_string(i));
        post.headers.add("X-Given", "g");
        const auto got = send(post);
        ASSERT_TRUE(got.has_value()) << got.error().message;
        EXPECT_EQ(got->status, 201);
        EXPECT_EQ(got->headers.find("x-seen"), "g");
        EXPECT_EQ(got->body, "POST /base/x?y body" + std::to_string(i));
    }
    EXPECT_EQ(server.connections(), 1U);
    EXPECT_TRUE(send(get(), 10s, 1).has_value());
    EXPECT_EQ(server.connections(), 2U) << "another loop has its own connections";
    std::string big(3'000'000, 'x');
    EXPECT_EQ(send(request("PUT", "/x", std::move(big)))->status, 413);
    asio::co_spawn(runtime.loop(0), server.drain(Deadline::after(5s)), asio::use_future).get();
}

TEST_F(HttpClientTest, writes_a_correct_head) {
    std::promise<std::string> seen;
    Imposter imposter({[&](RawSocket& peer) {
        seen.set_value(peer.read_until("hi"));
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }});
    use(imposter.port);
    HttpRequest post;
    post.method = "POST";
    post.path = "/a";
    post.query = "b=c";
    post.body = "hi";
    post.headers.add("Host", "evil");
    post.headers.add("Content-Length", "99");
    ASSERT_TRUE(send(post).has_value());
    EXPECT_EQ(seen.get_future().get(),
              "POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(imposter.port) +
                  "\r\nContent-Length: 2\r\n\r\nhi");
}

TEST_F(HttpClientTest, refuses_to_write_what_is_not_http) {
    use(1);
    HttpRequest split = get();
    split.headers.add("X", "a\r\nY: b");
    for (const HttpRequest& bad :
         {split, get("/a b"), get("/a\r\nX: y"), get("a"), request("G T", "/"), request("", "/")}) {
        const auto got = send(bad);
        ASSERT_FALSE(got.has_value());
        EXPECT_EQ(got.error().code, Code::kMalformed);
    }
}

TEST_F(HttpClientTest, understands_every_framing) {
    Imposter imposter({
        answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\n"
               "T: 1\r\n\r\n"),
        answer("HTTP/1.1 200 OK\r\n\r\nabc"),
        answer("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
        answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
               "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    });
    use(imposter.port);
    for (int i = 0; i < 5; ++i) {
        const auto got = send(get());
        ASSERT_TRUE(got.has_value()) << i << got.error().message;
        EXPECT_EQ(got->body, "abc") << i;
    }
}

TEST_F(HttpClientTest, answers_without_a_body_do_not_wait_for_one) {
    Imposter imposter({[](RawSocket& peer) {
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 204 No Content\r\n\r\n");
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }});
    use(imposter.port);
    EXPECT_EQ(send(request("HEAD", "/"))->headers.find("content-length"), "5");
    EXPECT_EQ(send(request("DELETE", "/"))->status, 204);
    EXPECT_EQ(send(get())->body, "ok");
    EXPECT_EQ(imposter.connections, 1);
}

TEST_F(HttpClientTest, an_answer_cut_at_every_byte_is_the_same) {
    const std::string text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    Imposter imposter({[&](RawSocket& peer) {
        for (std::size_t cut = 1; cut < text.size(); ++cut) {
            peer.read_until("\r\n\r\n");
            peer.send(text.substr(0, cut));
            std::this_thread::yield();
            peer.send(text.substr(cut));
        }
    }});
    use(imposter.port);
    for (std::size_t cut = 1; cut < text.size(); ++cut) ASSERT_EQ(send(get())->body, "ab") << cut;
}

TEST_F(HttpClientTest, nobody_there_is_unavailable) {
    std::uint16_t free_port = 0;
    {
        free_port = Imposter({answer("")}).port;
    }
    use(free_port);
    const auto got = send(request("POST", "/"));
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kUnavailable);
    EXPECT_THAT(got.error().message, HasSubstr("127.0.0.1:" + std::to_string(free_port)));
}

TEST_F(HttpClientTest, an_unknown_name_is_unavailable) {
    client = std::make_unique<HttpClient>(Url{false, "bad..name", 80, ""});
    const auto got = send(get());
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kUnavailable);
    EXPECT_THAT(got.error().message, HasSubstr("bad..name"));
}

TEST_F(HttpClientTest, localhost_resolves) {
    Imposter imposter({answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")});
    client = std::make_unique<HttpClient>(Url{false, "localhost", imposter.port, ""});
    const auto got = send(get());
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(got->body, "ok");
}

TEST_F(HttpClientTest, who_never_answers_meets_the_deadline) {
    Imposter* self = nullptr;
    Imposter imposter({[&](RawSocket&) { self->until_the_end(); }});
    self = &imposter;
    use(imposter.port);
    const auto started = std::chrono::steady_clock::now();
    const auto read = send(get(), 80ms);
    EXPECT_LT(std::chrono::steady_clock::now() - started, 5s);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, Code::kDeadlineExceeded);
    // Accepted by the kernel, never by the program: the bytes went out all the same.
    const auto written = send(request("POST", "/"), 80ms);
    ASSERT_FALSE(written.has_value());
    EXPECT_EQ(written.error().code, Code::kOutcomeUnknown);
    EXPECT_EQ(send(get(), 0ms).error().code, Code::kDeadlineExceeded);
}

TEST_F(HttpClientTest, a_slow_drip_meets_the_deadline) {
    Imposter imposter({[](RawSocket& peer) {
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (peer.send("x")) std::this_thread::sleep_for(2ms);
    }});
    use(imposter.port);
    const auto got = send(get(), 100ms);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kDeadlineExceeded);
}

TEST_F(HttpClientTest, a_broken_answer_leaves_the_outcome_unknown) {
    for (const char* text :
         {"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "garbage\r\n\r\n",
          "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
          "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/3.0 200 OK\r\n\r\n",
          "HTTP/1.1 099 Low\r\n\r\n"}) {
        Imposter imposter({[text](RawSocket& peer) {
            peer.read_until("\r\n\r\n");
            peer.send(text);
            peer.half_close();
            peer.read_all();
        }});
        use(imposter.port);
        const auto got = send(request("POST", "/"));
        ASSERT_FALSE(got.has_value()) << text;
        EXPECT_EQ(got.error().code, Code::kOutcomeUnknown) << text;
        EXPECT_EQ(imposter.connections, 1) << "never repeated";
    }
}

TEST_F(HttpClientTest, answers_without_end_are_bounded) {
    const auto flood = [](std::string head, std::string piece) -> Imposter::Script {
        return [head, piece](RawSocket& peer) {
            peer.read_until("\r\n\r\n");
            peer.send(head);
            while (peer.send(piece)) {
            }
        };
    };
    Imposter imposter({
        flood("HTTP/1.1 200 OK\r\n", "X-Header: value\r\n"),
        flood("HTTP/1.1 200 OK\r\nX: ", "aaaaaaaaaaaaaaaaaaaaaaaa"),
        flood("HTTP/1.1 200 ", "OK OK OK OK OK OK OK OK "),
        flood("", "HTTP/1.1 100 Continue\r\n\r\n"),
        flood("HTTP/1.1 200 OK\r\n\r\n", std::string(10'000, 'b')),
        flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nb\r\n"),
        flood("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
              "aaaaaaaaaaaaaaaaaaaaaaaa"),
        flood("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "b"),
    });
    use(imposter.port, {.response_limit = 10'000});
    for (int i = 0; i < 8; ++i) {
        const auto got = send(get());
        ASSERT_FALSE(got.has_value()) << i;
        EXPECT_EQ(got.error().code, Code::kOutcomeUnknown) << got.error().message;
    }
}

TEST_F(HttpClientTest, an_early_refusal_is_read_although_the_upload_broke) {
    Imposter imposter({[](RawSocket& peer) {
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
        peer.half_close();
        peer.read_exactly(1'000'000);
        peer.abort();
    }});
    use(imposter.port);
    const auto got = send(request("POST", "/", std::string(5'000'000, 'u')));
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(got->status, 413);
}

/// Answers once, then closes as soon as the next request comes.
void answer_once_then_close(RawSocket& peer) {
    peer.read_until("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    peer.read_until("\r\n\r\n");
}

TEST_F(HttpClientTest, a_stale_connection_is_replaced_only_for_what_may_be_repeated) {
    Imposter imposter({answer_once_then_close});
    use(imposter.port);
    EXPECT_TRUE(send(get()).has_value());
    EXPECT_TRUE(send(get()).has_value());
    EXPECT_EQ(imposter.connections, 2);
    const auto plain = send(request("POST", "/"));
    ASSERT_FALSE(plain.has_value());
    EXPECT_EQ(plain.error().code, Code::kOutcomeUnknown);
    EXPECT_TRUE(send(get()).has_value());
    EXPECT_EQ(imposter.connections, 3);
    HttpRequest keyed = request("POST", "/");
    keyed.repeatable = true;
    EXPECT_TRUE(send(keyed).has_value());
    EXPECT_EQ(imposter.connections, 4);
}

TEST_F(HttpClientTest, a_connection_closed_while_idle_is_not_used) {
    std::promise<void> closed;
    Imposter imposter({[](RawSocket& peer) {
                           peer.read_until("\r\n\r\n");
                           peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                       },
                       [&](RawSocket& peer) {
                           closed.set_value();
                           peer.read_all();
                       },
                       answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")});
    use(imposter.port);
    EXPECT_TRUE(send(get()).has_value());
    // The second connection is accepted only after the first has been closed.
    RawSocket other(imposter.port);
    closed.get_future().wait();
    other.abort();
    const auto got = send(request("POST", "/"));
    ASSERT_TRUE(got.has_value()) << got.error().message;
}

TEST_F(HttpClientTest, bytes_that_nobody_asked_for_end_the_connection) {
    Imposter imposter(
        {answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
                "Content-Length: 4\r\n\r\nevil")});
    use(imposter.port);
    EXPECT_EQ(send(get())->body, "ok");
    EXPECT_EQ(send(get())->body, "ok");
    EXPECT_EQ(imposter.connections, 2);
}

TEST_F(HttpClientTest, streams_pieces_as_they_come) {
    std::promise<void> first_seen;
    Imposter imposter({[&](RawSocket& peer) {
        peer.read_until("\r\n\r\n");
        peer.send(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        first_seen.get_future().wait();
        peer.send("3\r\ntwo\r\n0\r\n\r\n");
    }});
    use(imposter.port, {.response_limit = 4});
    std::vector<std::string> pieces;
    const auto got = stream(get(), [&](std::string_view piece) {
        pieces.emplace_back(piece);
        if (pieces.size() == 1) first_seen.set_value();
        return true;
    });
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_THAT(pieces, ElementsAre("one", "two"));
    EXPECT_EQ(got->body, "");
}

TEST_F(HttpClientTest, a_stream_stops_when_it_is_told_to) {
    Imposter imposter({[](RawSocket& peer) {
        peer.read_until("\r\n\r\n");
        peer.send("HTTP/1.1 200 OK\r\n\r\n");
        while (peer.send("data: x\n\n")) {
        }
    }});
    use(imposter.port);
    int calls = 0;
    const auto got = stream(get(), [&](std::string_view) { return ++calls < 2; });
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(calls, 2);
}

TEST_F(HttpClientTest, a_stream_ends_at_its_deadline_and_errors_stay_whole) {
    Imposter* self = nullptr;
    Imposter imposter(
        {answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nwho"), [&](RawSocket& peer) {
             peer.read_until("\r\n\r\n");
             peer.send("HTTP/1.1 200 OK\r\n\r\ndata");
             self->until_the_end();
         }});
    self = &imposter;
    use(imposter.port);
    int calls = 0;
    const auto sink = [&](std::string_view) { return ++calls > 0; };
    const auto refused = stream(get(), sink);
    EXPECT_EQ(refused->body, "who");
    EXPECT_EQ(calls, 0);
    const auto cut = stream(request("POST", "/"), sink, 100ms);
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, Code::kDeadlineExceeded);
    EXPECT_EQ(calls, 1);
}

task<int> many(HttpClient& client, int count) {
    int good = 0;
    for (int i = 0; i < count; ++i) {
        HttpRequest request;
        request.method = "GET";
        request.target = "/";
        const auto got = co_await client.send(std::move(request), Deadline::after(10s));
        if (got && got->body == "hello") ++good;
    }
    co_return good;
}

TEST_F(HttpClientTest, many_calls_on_both_loops_at_once) {
    HttpServer server(runtime, {.listen = {"127.0.0.1", 0}}, [](HttpRequest) -> task<HttpResponse> {
        HttpResponse out;
        out.body = "hello";
        co_return out;
    });
    const auto bound = server.listen();
    server.start();
    use(bound->port);
    std::vector<std::future<int>> results;
    for (std::size_t i = 0; i < 24; ++i) {
        results.push_back(asio::co_spawn(runtime.loop(i % 2), many(*client, 50), asio::use_future));
    }
    for (auto& one : results) EXPECT_EQ(one.get(), 50);
    asio::co_spawn(runtime.loop(0), server.drain(Deadline::after(5s)), asio::use_future).get();
}

}  // namespace
}  // namespace aeterna::net
