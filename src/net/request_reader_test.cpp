#include "net/request_reader.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aeterna::net {
namespace {

using testing::ElementsAre;
using Step = RequestReader::Step;

/// What came out of one connection: the requests, and the status of the rejection that ended it.
struct Outcome {
    std::vector<std::string> requests;  // "GET /path body"
    int rejected = 0;
    int continues = 0;
    bool operator==(const Outcome&) const = default;
};

class Feed {
  public:
    explicit Feed(RequestLimits limits = {}) : limits_(std::move(limits)), reader(limits_) {}

    void bytes(std::string_view text) {
        step();
        while (!text.empty() && outcome.rejected == 0) {
            const auto space = reader.space();
            ASSERT_FALSE(space.empty());
            const std::size_t count = std::min(space.size(), text.size());
            std::copy_n(text.begin(), count, space.begin());
            reader.received(count);
            text.remove_prefix(count);
            step();
        }
    }

  private:
    RequestLimits limits_;

    void step() {
        for (;;) {
            switch (reader.next()) {
                case Step::kMore:
                    return;
                case Step::kContinue:
                    ++outcome.continues;
                    continue;
                case Step::kRejected:
                    outcome.rejected = reader.rejection().status;
                    return;
                case Step::kRequest:
                    last = reader.take();
                    outcome.requests.push_back(last.request.method + ' ' + last.request.target +
                                               ' ' + last.request.body);
            }
        }
    }

  public:
    RequestReader reader;
    Outcome outcome;
    IncomingRequest last;
};

Outcome read_whole(std::string_view text, RequestLimits limits = {}) {
    Feed feed(std::move(limits));
    feed.bytes(text);
    return feed.outcome;
}

int status_of(std::string_view text) {
    return read_whole(text).rejected;
}

TEST(RequestReader, reads_a_request) {
    Feed feed;
    feed.bytes("POST /a/b?c=d&e HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(feed.outcome.requests, ElementsAre("POST /a/b?c=d&e hi"));
    EXPECT_EQ(feed.last.request.path, "/a/b");
    EXPECT_EQ(feed.last.request.query, "c=d&e");
    EXPECT_EQ(feed.last.request.headers.find("x-y"), "z");
    EXPECT_TRUE(feed.last.keep_alive);
    EXPECT_EQ(feed.reader.phase(), RequestReader::Phase::kIdle);
}

TEST(RequestReader, joins_chunks_and_drops_trailers_and_extensions) {
    Feed feed;
    feed.bytes(
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
        "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nHost: evil\r\nX-T: 1\r\n\r\n"
        "GET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(feed.outcome.requests, ElementsAre("POST / abc0123456789", "GET /next "));
    EXPECT_EQ(feed.last.request.headers.find("X-T"), std::nullopt);
}

const char* const kStream =
    "\r\nPOST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    "GET /two?q=1 HTTP/1.1\r\nHost: y:80\r\nAccept: */*\r\n\r\n"
    "\r\n"
    "PUT /three HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nab\r\nc\r\n1\r\nz\r\n0\r\n\r\n"
    "HEAD /four HTTP/1.1\r\nHost: x\r\n\r\n";

TEST(RequestReader, the_cut_of_the_bytes_does_not_matter) {
    const std::string text = kStream;
    const Outcome whole = read_whole(text);
    EXPECT_THAT(whole.requests, ElementsAre("POST /one hello", "GET /two?q=1 ",
                                            "PUT /three ab\r\ncz", "GET /four "));
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
        Feed feed;
        feed.bytes(std::string_view(text).substr(0, cut));
        feed.bytes(std::string_view(text).substr(cut));
        ASSERT_EQ(feed.outcome, whole) << "cut at " << cut;
    }
    Feed feed;
    for (const char c : text) feed.bytes({&c, 1});
    EXPECT_EQ(feed.outcome, whole);
}

TEST(RequestReader, keep_alive_follows_version_and_connection) {
    const auto keeps = [](std::string_view text) {
        Feed feed;
        feed.bytes(text);
        EXPECT_EQ(feed.outcome.requests.size(), 1U) << text;
        return feed.last.keep_alive;
    };
    EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(RequestReader, absolute_form_gives_path_and_host) {
    Feed feed;
    feed.bytes("GET http://real:80/a?b HTTP/1.1\r\nHost: other\r\n\r\n");
    EXPECT_THAT(feed.outcome.requests, ElementsAre("GET /a?b "));
    EXPECT_EQ(feed.last.request.headers.find("host"), "real:80");
    feed.bytes("GET http://real?b HTTP/1.1\r\nHost: other\r\n\r\n");
    EXPECT_EQ(feed.last.request.target, "/?b");
}

TEST(RequestReader, asks_for_the_body_only_when_it_is_waited_for) {
    const std::string head =
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    Feed waiting;
    waiting.bytes(head);
    EXPECT_EQ(waiting.outcome.continues, 1);
    waiting.bytes("hi");
    EXPECT_EQ(waiting.outcome.continues, 1);
    EXPECT_THAT(waiting.outcome.requests, ElementsAre("POST / hi"));
    EXPECT_EQ(read_whole(head + "hi").continues, 0);
    EXPECT_EQ(read_whole("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n").continues, 0);
    EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n"),
              417);
}

TEST(RequestReader, refuses_what_two_programs_could_read_in_two_ways) {
    const auto with = [](std::string_view headers, std::string_view body = "") {
        return status_of("POST / HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n\r\n" +
                         std::string(body));
    };
    EXPECT_EQ(with("Content-Length: 3\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400);
    EXPECT_EQ(with("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n"), 400);
    EXPECT_EQ(with("Content-Length: 3\r\nContent-Length: 3", "abc"), 400);
    EXPECT_EQ(with("Content-Length: 3\r\nContent-Length: 4", "abc"), 400);
    EXPECT_EQ(with("Content-Length: 3, 3", "abc"), 400);
    EXPECT_EQ(with("Content-Length: +3", "abc"), 400);
    EXPECT_EQ(with("Content-Length: -3", "abc"), 400);
    EXPECT_EQ(with("Content-Length: 0x3", "abc"), 400);
    EXPECT_EQ(with("Content-Length: 3 3", "abc"), 400);
    EXPECT_EQ(with("Content-Length:", ""), 400);
    EXPECT_EQ(with("Content-Length: 99999999999999999999999"), 400);
    EXPECT_EQ(with("Content-Length : 3", "abc"), 400);
    EXPECT_EQ(with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400);
    EXPECT_EQ(with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400);
    EXPECT_EQ(with("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 501);
    EXPECT_EQ(with("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 501);
    EXPECT_EQ(with("Transfer-Encoding: identity"), 501);
    EXPECT_EQ(with("Transfer-Encoding: xchunked"), 501);
    EXPECT_EQ(with("Transfer-Encoding: \x0b"
                   "chunked"),
              400);
    EXPECT_EQ(with("X: a\r\n b"), 400);
    EXPECT_EQ(with("X: a\r\n\tb"), 400);
    EXPECT_EQ(with(" X: a"), 400);
    EXPECT_EQ(with("X: a\nY: b"), 400);
    EXPECT_EQ(with("X: a\rY: b"), 400);
    EXPECT_EQ(with(std::string_view("X: a\0b", 6)), 400);
    EXPECT_EQ(with("X: a\x7f"), 400);
    EXPECT_EQ(with("X\x80: a"), 400);
    EXPECT_EQ(with("X Y: a"), 400);
    EXPECT_EQ(with(": a"), 400);
    EXPECT_EQ(with("novalue"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
}

TEST(RequestReader, refuses_bad_hosts) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    EXPECT_EQ(status_of("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    for (const char* host : {"", "a b", "a,b", "a/b", "u@a", "a?b", "a#b", "a\\b", "a\"b"}) {
        EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), 400)
            << host;
    }
    for (const char* host : {"localhost", "127.0.0.1:8080", "[::1]:8080", "a-b.example"}) {
        EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"), 0)
            << host;
    }
}

TEST(RequestReader, refuses_bad_request_lines) {
    const auto line = [](std::string_view text) {
        return status_of(std::string(text) + "\r\nHost: x\r\n\r\n");
    };
    EXPECT_EQ(line("GET /"), 400);
    EXPECT_EQ(line("GET  / HTTP/1.1"), 400);
    EXPECT_EQ(line("GET / / HTTP/1.1"), 400);
    EXPECT_EQ(line(" GET / HTTP/1.1"), 400);
    EXPECT_EQ(line("GET / HTTP/1.1 "), 400);
    EXPECT_EQ(line("GET /\thttp HTTP/1.1"), 400);
    EXPECT_EQ(line("G(T / HTTP/1.1"), 400);
    EXPECT_EQ(line("GET / http/1.1"), 400);
    EXPECT_EQ(line("GET /\xc3\xbc HTTP/1.1"), 400);
    EXPECT_EQ(line("GET /a#b HTTP/1.1"), 400);
    EXPECT_EQ(line("GET a HTTP/1.1"), 400);
    EXPECT_EQ(line("GET ftp://a/ HTTP/1.1"), 400);
    EXPECT_EQ(line("GET http:///a HTTP/1.1"), 400);
    EXPECT_EQ(line("GET http://u@h/a HTTP/1.1"), 400);
    EXPECT_EQ(line("OPTIONS * HTTP/1.1"), 400);
    EXPECT_EQ(line("CONNECT a:80 HTTP/1.1"), 400);
    EXPECT_EQ(line("GET / HTTP/2.0"), 505);
    EXPECT_EQ(line("GET / HTTP/1.2"), 505);
    EXPECT_EQ(line("GET / HTTP/0.9"), 505);
    EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    EXPECT_EQ(status_of("\x16\x03\x01"), 400) << "TLS is refused at its first byte";
    EXPECT_EQ(status_of("GET / HTTP/1.1\n"), 400) << "a bare line feed is refused at once";
    EXPECT_EQ(status_of("\r\n\r\n\r\n\r\n\r\n\r\n"), 400);
}

TEST(RequestReader, refuses_bad_chunks) {
    const auto chunks = [](std::string_view body) {
        Feed feed;
        feed.bytes("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        feed.bytes(body);
        EXPECT_TRUE(feed.outcome.requests.empty()) << body;
        return feed.outcome.rejected;
    };
    EXPECT_EQ(chunks("x\r\n"), 400);
    EXPECT_EQ(chunks("-1\r\nabc\r\n"), 400);
    EXPECT_EQ(chunks("0x3\r\nabc\r\n0\r\n\r\n"), 400);
    EXPECT_EQ(chunks("3\r\nabcd\r\n0\r\n\r\n"), 400);
    EXPECT_EQ(chunks("3\nabc\r\n0\r\n\r\n"), 400);
    EXPECT_EQ(chunks("\r\n"), 400);
    EXPECT_EQ(chunks("3 ;\x01\r\nabc\r\n0\r\n\r\n"), 400);
    EXPECT_EQ(chunks("ffffffffffffffffff\r\n"), 400);
    EXPECT_EQ(chunks("ffffffffffffffff\r\n"), 413);
    EXPECT_EQ(chunks("3;" + std::string(100'000, 'a')), 400);
    EXPECT_EQ(chunks("0\r\n" + std::string(100'000, 'a')), 400);
    EXPECT_EQ(chunks("0\r\nbad trailer\r\n\r\n"), 400);
    std::string framing;
    for (int i = 0; i < 1000; ++i) framing += "1;" + std::string(100, 'a') + "\r\nz\r\n";
    EXPECT_EQ(chunks(framing), 400) << "framing far larger than the body";
}

TEST(RequestReader, many_small_chunks_are_fine) {
    std::string text = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 50'000; ++i) text += "1\r\nz\r\n";
    const Outcome outcome = read_whole(text + "0\r\n\r\n");
    ASSERT_EQ(outcome.rejected, 0);
    EXPECT_EQ(outcome.requests.at(0), "POST / " + std::string(50'000, 'z'));
}

TEST(RequestReader, limits_have_exact_edges) {
    const RequestLimits limits{
        .header = 1000,
        .target = 100,
        .body = [](std::string_view method, std::string_view path) -> std::size_t {
            return method == "POST" && path == "/big" ? 20 : 10;
        }};
    const auto padded = [](std::size_t total) {
        const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
        return head + std::string(total - head.size() - 4, 'a') + "\r\n\r\n";
    };
    EXPECT_EQ(read_whole(padded(1000), limits).rejected, 0);
    EXPECT_EQ(read_whole(padded(1001), limits).rejected, 431);
    EXPECT_EQ(read_whole(padded(100'000).substr(0, 1000), limits).rejected, 431) << "no end yet";
    const auto target = [](std::size_t size) {
        return "GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n";
    };
    EXPECT_EQ(read_whole(target(100), limits).rejected, 0);
    EXPECT_EQ(read_whole(target(101), limits).rejected, 414);
    EXPECT_EQ(read_whole(target(5000), limits).rejected, 414) << "not even one line";
    const auto body = [](std::string_view path, std::size_t size, bool chunked) {
        std::string text = "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n";
        if (!chunked) {
            return text + "Content-Length: " + std::to_string(size) + "\r\n\r\n" +
                   std::string(size, 'b');
        }
        text += "Transfer-Encoding: chunked\r\n\r\n";
        for (std::size_t i = 0; i < size; ++i) text += "1\r\nb\r\n";
        return text + "0\r\n\r\n";
    };
    for (const bool chunked : {false, true}) {
        EXPECT_EQ(read_whole(body("/", 10, chunked), limits).rejected, 0);
        EXPECT_EQ(read_whole(body("/", 11, chunked), limits).rejected, 413);
        EXPECT_EQ(read_whole(body("/big", 20, chunked), limits).rejected, 0);
        EXPECT_EQ(read_whole(body("/big?x", 21, chunked), limits).rejected, 413);
    }
    std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 200; ++i) many += "a:\r\n";
    EXPECT_EQ(read_whole(many + "\r\n", limits).rejected, 431);
}

TEST(RequestReader, an_announced_body_over_the_limit_is_not_asked_for) {
    const Outcome outcome = read_whole(
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
    EXPECT_EQ(outcome.continues, 0);
    EXPECT_EQ(outcome.rejected, 413);
}

TEST(RequestReader, reads_large_bodies_in_any_pieces) {
    const RequestLimits limits{.body = [](auto, auto) -> std::size_t { return 10'000'000; }};
    std::string body(5'000'000, 'x');
    for (std::size_t i = 0; i < body.size(); i += 97) body[i] = '\n';
    const Outcome outcome =
        read_whole("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + body +
                       "GET /n HTTP/1.1\r\nHost: x\r\n\r\n",
                   limits);
    ASSERT_EQ(outcome.requests.size(), 2U);
    EXPECT_EQ(outcome.requests[0], "POST / " + body);
}

}  // namespace
}  // namespace aeterna::net
