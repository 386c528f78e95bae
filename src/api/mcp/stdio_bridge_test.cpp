#include "api/mcp/stdio_bridge.hpp"

#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <future>
#include <mutex>
#include <set>
#include <unistd.h>

#include <gtest/gtest.h>

#include "api/mcp/bridge_message.hpp"
#include "api/mcp/test_support.hpp"

namespace aeterna::mcp {
namespace {

using testing::json_of;

TEST(BridgeMessage, GivesEveryWriteAKey) {
    const auto read = [](std::string_view tool, std::string_view arguments) {
        return *read_line(
            fmt::format(
                R"({{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{}"{}}}}})",
                tool, arguments),
            "fresh");
    };
    const auto key = [](const Outgoing& message) {
        const auto body = json_of(message.body);
        const auto* found =
            body.at("params").at("arguments").as_object().if_contains("idempotencyKey");
        return found == nullptr ? std::string() : std::string(found->as_string());
    };
    EXPECT_EQ(key(read("memory_add", R"(,"arguments":{"content":"x"})")), "fresh");
    EXPECT_EQ(key(read("memory_delete", "")), "fresh");
    EXPECT_EQ(key(read("memory_add", R"(,"arguments":{"idempotencyKey":"own"})")), "own");
    EXPECT_EQ(key(read("memory_search", R"(,"arguments":{"query":"x"})")), "");
    EXPECT_TRUE(read("memory_search", "").repeatable);
    EXPECT_TRUE(read("memory_add", R"(,"arguments":{"content":"x"})").repeatable);
    EXPECT_FALSE(read("launch", R"(,"arguments":{})").repeatable);
    EXPECT_FALSE(read("launch", "").repeatable);
    EXPECT_TRUE(read("launch", R"(,"arguments":{"idempotencyKey":"k"})").repeatable);
}

TEST(BridgeMessage, RepeatsOnlyWhatHasAnAnswer) {
    EXPECT_TRUE(read_line(R"({"jsonrpc":"2.0","id":1,"method":"ping"})", "f")->repeatable);
    EXPECT_FALSE(read_line(R"({"jsonrpc":"2.0","method":"notifications/x"})", "f")->repeatable);
    EXPECT_FALSE(read_line(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])", "f")->repeatable);
    EXPECT_FALSE(read_line(R"({"jsonrpc":"2.0","id":1,"result":{}})", "f")->repeatable);
}

TEST(BridgeMessage, AnswersBadLinesItself) {
    EXPECT_NE(read_line("nonsense", "f").error().find("-32700"), std::string::npos);
    const auto bad = json_of(read_line(R"({"id":4,"method":"ping"})", "f").error());
    EXPECT_EQ(bad.at("id").as_int64(), 4);
    EXPECT_EQ(bad.at("error").at("code").as_int64(), kInvalidRequest);
}

TEST(BridgeMessage, MirrorsWhatTheRevisionAsksFor) {
    const auto old = read_line(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", "f");
    const auto before = request_for(*old, "", "");
    EXPECT_FALSE(before.headers.find("MCP-Protocol-Version"));
    EXPECT_FALSE(before.headers.find("Authorization"));
    const auto after = request_for(*old, "2025-11-25", "aet_x");
    EXPECT_EQ(after.headers.find("MCP-Protocol-Version"), "2025-11-25");
    EXPECT_EQ(after.headers.find("Authorization"), "Bearer aet_x");
    EXPECT_FALSE(after.headers.find("Mcp-Method"));
    const auto now = read_line(
        R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"é","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})",
        "f");
    const auto request = request_for(*now, "2025-11-25", "");
    EXPECT_EQ(request.headers.find("MCP-Protocol-Version"), "2026-07-28");
    EXPECT_EQ(request.headers.find("Mcp-Method"), "tools/call");
    EXPECT_EQ(request.headers.find("Mcp-Name"), "=?base64?w6k=?=");
}

TEST(BridgeMessage, ReadsAnswersInAnyPieces) {
    const std::string events =
        ": hello\nevent: message\ndata: {\"a\":1}\n\nid: 7\r\ndata: {\"b\":\r\ndata: "
        "2}\r\n\r\ndata: "
        "{\"cut\"";
    for (std::size_t step = 1; step < events.size(); ++step) {
        AnswerReader reader;
        std::vector<std::string> found;
        for (std::size_t at = 0; at < events.size(); at += step) {
            for (auto& message : reader.feed(events.substr(at, step)))
                found.push_back(std::move(message));
        }
        for (auto& message : reader.finish()) found.push_back(std::move(message));
        EXPECT_EQ(found, (std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"})) << step;
    }
    AnswerReader reader;
    EXPECT_TRUE(reader.feed(" {\"a\":\n").empty());
    EXPECT_TRUE(reader.feed("1}\n").empty());
    EXPECT_EQ(reader.finish(), std::vector<std::string>{"{\"a\":1}"});
}

TEST(BridgeMessage, TellsAnswersFromTheRest) {
    using Kind = Reading::Kind;
    EXPECT_EQ(read_answer(R"({"jsonrpc":"2.0","id":1,"result":{}})", "1").kind, Kind::kAnswer);
    EXPECT_EQ(read_answer(R"({"jsonrpc":"2.0","id":2,"result":{}})", "1").kind, Kind::kOther);
    EXPECT_EQ(read_answer(R"({"jsonrpc":"2.0","method":"notifications/x"})", "1").kind,
              Kind::kOther);
    EXPECT_EQ(read_answer(R"({"error":"unauthenticated"})", "1").kind, Kind::kForeign);
    EXPECT_EQ(read_answer("<html>", "1").kind, Kind::kForeign);
    const auto adopted =
        read_answer(R"({"jsonrpc":"2.0","error":{"code":-32600,"message":"m"}})", "\"x\"");
    EXPECT_EQ(adopted.kind, Kind::kAnswer);
    EXPECT_EQ(json_of(adopted.line).at("id").as_string(), "x");
}

/// A server in memory, and a bridge to it over two pipes.
class StdioBridge : public ::testing::Test {
  protected:
    void SetUp() override {
        std::signal(SIGPIPE, SIG_IGN);
        ASSERT_EQ(::pipe2(in_, O_CLOEXEC), 0);
        ASSERT_EQ(::pipe2(out_, O_CLOEXEC), 0);
    }
    void TearDown() override {
        close_input();
        for (const int fd : {in_[0], out_[0], out_[1]}) {
            if (fd >= 0) ::close(fd);
        }
        runtime_.stop();
    }

    void start(BridgeOptions options = BridgeOptions()) {
        options.in = in_[0];
        options.out = out_[1];
        asio::co_spawn(
            runtime_.any_loop(),
            run_stdio_bridge(
                runtime_, [this] { return connect(); }, options),
            [this](std::exception_ptr, result<void> done) { done_.set_value(std::move(done)); });
    }
    result<Post> connect() {
        ++connects;
        if (connect_fails-- > 0) return fail(Code::kUnavailable, "nobody listens");
        return Post([this](net::HttpRequest request, std::function<bool(std::string_view)> sink,
                           Deadline) { return serve(std::move(request), std::move(sink)); });
    }
    task<result<net::HttpResponse>> serve(net::HttpRequest request,
                                          std::function<bool(std::string_view)> sink) {
        std::optional<Error> failure;
        net::HttpResponse response;
        {
            const std::scoped_lock lock(mutex_);
            bodies.push_back(request.body);
            versions.emplace_back(request.headers.find("MCP-Protocol-Version").value_or(""));
            if (!failures.empty()) {
                failure = failures.front();
                failures.erase(failures.begin());
            }
        }
        if (failure) co_return fail(*failure);
        const auto message = json_of(request.body).as_object();
        const auto* id = message.if_contains("id");
        const std::string method(text_member(message, "method").value_or(""));
        if (method == "deny") {
            response.status = 401;
            response.body =
                R"({"error":"unauthenticated","message":"send a token","retryable":false})";
        } else if (method == "unknown") {
            response.status = 404;
            response.body =
                R"({"jsonrpc":"2.0","id":4,"error":{"code":-32601,"message":"there is none"}})";
        } else if (id != nullptr) {
            const std::string answer = fmt::format(
                R"({{"jsonrpc":"2.0","id":{},"result":{{"method":"{}","protocolVersion":"2025-06-18"}}}})",
                json::write(*id), method);
            sink(method == "stream"
                     ? fmt::format("data: {{\"jsonrpc\":\"2.0\",\"method\":\"n\"}}\n\ndata: {}\n\n",
                                   answer)
                     : answer);
        } else {
            response.status = 202;
        }
        co_return response;
    }

    void write(std::string_view text) {
        ASSERT_EQ(::write(in_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    void close_input() {
        if (in_[1] >= 0) ::close(std::exchange(in_[1], -1));
    }
    /// Everything that was written until the bridge ended.
    std::multiset<std::string> finish() {
        close_input();
        auto ended = done_.get_future();
        std::string text;
        std::string chunk(4096, '\0');
        // The bridge ends once its input has; what it wrote fits into the pipe.
        EXPECT_EQ(ended.wait_for(std::chrono::seconds(20)), std::future_status::ready);
        outcome = ended.get();
        ::close(std::exchange(out_[1], -1));
        for (ssize_t count = 1; count > 0;) {
            count = ::read(out_[0], chunk.data(), chunk.size());
            text.append(chunk.data(), static_cast<std::size_t>(std::max<ssize_t>(0, count)));
        }
        std::multiset<std::string> lines;
        for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
            lines.insert(text.substr(0, end));
            text.erase(0, end + 1);
        }
        EXPECT_TRUE(text.empty());
        return lines;
    }

    Runtime runtime_{{1, 3}};
    std::promise<result<void>> done_;
    result<void> outcome;
    int in_[2] = {-1, -1};
    int out_[2] = {-1, -1};
    std::mutex mutex_;
    std::vector<std::string> bodies, versions;
    std::vector<Error> failures;  ///< what the next posts fail with
    std::atomic<int> connects = 0;
    std::atomic<int> connect_fails = 0;
};

TEST_F(StdioBridge, AnswersEveryRequestWithOneLine) {
    start();
    write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n  \n");
    write("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    write("{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"stream\"}\r\nnot json\n");
    write("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"unknown\"}\n");
    write("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"deny\"}");
    const auto lines = finish();
    EXPECT_TRUE(outcome);
    ASSERT_EQ(lines.size(), 6U);
    std::map<std::string, std::string> errors;  // by id; empty for a result
    for (const std::string& line : lines) {
        const auto message = json_of(line).as_object();
        const auto* id = message.if_contains("id");
        const auto* error = object_member(message, "error");
        if (id != nullptr)
            errors[json::write(*id)] =
                error == nullptr ? "" : text_member(*error, "message").value_or("");
    }
    EXPECT_EQ(errors,
              (std::map<std::string, std::string>{
                  {"1", ""}, {"\"b\"", ""}, {"3", "send a token"}, {"4", "there is none"}}));
    EXPECT_EQ(bodies.size(), 5U);
    EXPECT_EQ(lines.count(R"({"jsonrpc":"2.0","method":"n"})"), 1U);
}

TEST_F(StdioBridge, RemembersTheHandshake) {
    BridgeOptions options;
    options.concurrent = 1;
    start(options);
    write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n");
    write("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}\n");
    EXPECT_EQ(finish().size(), 2U);
    EXPECT_EQ(versions, (std::vector<std::string>{"", "2025-06-18"}));
}

TEST_F(StdioBridge, RepeatsAWriteWithTheSameKeyOnANewConnection) {
    failures = {Error(Code::kOutcomeUnknown, "reset"), Error(Code::kUnavailable, "refused")};
    start();
    write(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"memory_"
        "add\",\"arguments\":{\"content\":\"x\"}}}\n");
    const auto lines = finish();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(json_of(*lines.begin()).as_object().contains("result"));
    ASSERT_EQ(bodies.size(), 3U);
    EXPECT_EQ(bodies[0], bodies[1]);
    EXPECT_EQ(bodies[0], bodies[2]);
    EXPECT_NE(bodies[0].find("idempotencyKey"), std::string::npos);
    EXPECT_EQ(connects, 3);
}

TEST_F(StdioBridge, DoesNotRepeatWhatMayHaveHappened) {
    failures = {Error(Code::kOutcomeUnknown, "connection reset")};
    start();
    write(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"launch\"}}"
        "\n");
    const auto lines = finish();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(bodies.size(), 1U);
    EXPECT_EQ(json_of(*lines.begin()).at("error").at("message").as_string(), "connection reset");
}

TEST_F(StdioBridge, GivesUpAtTheDeadline) {
    failures.assign(100, Error(Code::kUnavailable, "refused"));
    BridgeOptions options;
    options.deadline = std::chrono::milliseconds(200);
    start(options);
    write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    const auto lines = finish();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(json_of(*lines.begin()).at("error").at("data").at("error").as_string(),
              "unavailable");
    EXPECT_GT(bodies.size(), 1U);
}

TEST_F(StdioBridge, EndsAtOnceWhenThereIsNoServer) {
    connect_fails = 1;
    start();
    EXPECT_TRUE(finish().empty());
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().message, "nobody listens");
}

TEST_F(StdioBridge, RefusesEndlessLines) {
    BridgeOptions options;
    options.longest_line = 1000;
    start(options);
    std::string text(70'000, 'x');
    text += "\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    std::thread writer([&] { write(text); });
    writer.join();
    const auto lines = finish();
    EXPECT_EQ(lines.size(), 2U);
    EXPECT_EQ(bodies.size(), 1U);
}

TEST_F(StdioBridge, EndsWhenNobodyReads) {
    ::close(std::exchange(out_[0], -1));
    start();
    write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    auto ended = done_.get_future();
    ASSERT_EQ(ended.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_FALSE(ended.get());
}

TEST_F(StdioBridge, KeepsManyUnderWayAndLosesNone) {
    start();
    std::string text;
    for (int i = 0; i < 500; ++i)
        text += fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}}\n", i);
    write(text);
    std::set<std::string> ids;
    for (const std::string& line : finish())
        ids.insert(json::write(json_of(line).as_object().at("id")));
    EXPECT_EQ(ids.size(), 500U);
}

}  // namespace
}  // namespace aeterna::mcp
