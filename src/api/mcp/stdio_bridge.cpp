#include "api/mcp/stdio_bridge.hpp"

#include <atomic>
#include <cerrno>
#include <deque>
#include <memory>
#include <poll.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include "api/mcp/bridge_message.hpp"
#include "base/ids.hpp"
#include "base/text.hpp"

namespace aeterna::mcp {

namespace {

constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1'000};
constexpr int kPollMillis = 250;
constexpr std::size_t kChunk = 64 * 1024;

using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

/// Something to wait for on one loop: every wait ends with the next `ring`.
class Bell {
  public:
    explicit Bell(LoopExecutor executor) : timer_(executor, Timer::time_point::max()) {}
    void ring() { timer_.cancel(); }
    task<void> wait() {
        boost::system::error_code ignored;
        co_await timer_.async_wait(asio::redirect_error(kAwait, ignored));
    }

  private:
    Timer timer_;
};

/// Everything that the coroutines of one bridge share. They all run on one loop.
struct Bridge {
    Bridge(Runtime& run, Connect find, BridgeOptions given, LoopExecutor loop)
        : runtime(run),
          connect(std::move(find)),
          options(std::move(given)),
          executor(loop),
          changed(loop) {}

    Runtime& runtime;
    Connect connect;
    BridgeOptions options;
    LoopExecutor executor;
    Bell changed;  ///< a message is done, a line is out, a connection is there
    std::shared_ptr<Post> post;
    bool connecting = false;
    std::size_t running = 0;
    std::deque<std::string> lines;  ///< to be written
    bool writing = false;
    std::atomic<bool> closed{false};  ///< nobody reads the output any more
    std::string negotiated;
    std::unordered_map<std::string, bool> pending;  ///< by id: true when cancelled
};
using Shared = std::shared_ptr<Bridge>;

/// The next bytes of the input; empty at its end. Runs on the blocking pool.
std::string read_some(int fd, const std::atomic<bool>& closed) {
    std::string out(kChunk, '\0');
    while (!closed) {
        pollfd waiting{fd, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, kPollMillis);
        if (ready < 0 && errno != EINTR) break;
        if (ready <= 0) continue;
        const ssize_t count = ::read(fd, out.data(), out.size());
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        out.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return out;
    }
    return {};
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) {
            pollfd waiting{fd, POLLOUT, 0};
            (void)::poll(&waiting, 1, kPollMillis);
            continue;
        }
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

task<void> write_lines(Shared bridge) {
    if (bridge->writing) co_return;
    bridge->writing = true;
    while (!bridge->lines.empty() && !bridge->closed) {
        std::string text;
        while (!bridge->lines.empty()) {
            text += bridge->lines.front();
            text += '\n';
            bridge->lines.pop_front();
        }
        const bool written =
            co_await bridge->runtime.blocking([&] { return write_all(bridge->options.out, text); });
        if (!written) bridge->closed = true;
    }
    bridge->writing = false;
    bridge->changed.ring();
}

task<void> emit(Shared bridge, std::string line) {
    bridge->lines.push_back(std::move(line));
    co_await write_lines(bridge);
}

/// A connection other than `broken`; whoever comes first makes it, the others wait for that.
task<result<std::shared_ptr<Post>>> connection(Shared bridge, std::shared_ptr<Post> broken) {
    while (bridge->connecting) co_await bridge->changed.wait();
    if (bridge->post && bridge->post != broken) co_return bridge->post;
    bridge->connecting = true;
    auto found = co_await bridge->runtime.blocking([&] { return bridge->connect(); });
    bridge->connecting = false;
    bridge->changed.ring();
    if (!found) co_return tl::unexpected(std::move(found).error());
    bridge->post = std::make_shared<Post>(std::move(*found));
    co_return bridge->post;
}

/// What one attempt brought.
struct Attempt {
    bool answered = false;  ///< or none is expected
    bool again = false;     ///< worth another attempt
    std::string failure;    ///< the line to answer with otherwise
};

/// Hands on what may be handed on, and sees whether the answer was among it.
void deliver(const Shared& bridge, const Outgoing& message, std::vector<std::string> found,
             Attempt& attempt) {
    for (std::string& text : found) {
        Reading reading = read_answer(std::move(text), message.id);
        if (reading.kind == Reading::Kind::kForeign) continue;
        if (reading.kind == Reading::Kind::kAnswer) {
            attempt.answered = true;
            if (message.method == "initialize") {
                const std::string version = negotiated_version(reading.line);
                if (!version.empty()) bridge->negotiated = version;
            }
            const auto at = bridge->pending.find(message.id);
            if (at != bridge->pending.end() && at->second) continue;
        }
        bridge->lines.push_back(std::move(reading.line));
    }
}

task<Attempt> attempt_once(Shared bridge, std::shared_ptr<Post> post,
                           std::shared_ptr<const Outgoing> message, Deadline deadline) {
    Attempt out;
    AnswerReader reader;
    std::string head;  // the start of the body, for answers that are not of the protocol
    auto sink = [&](std::string_view piece) {
        if (head.size() < kChunk) head += piece.substr(0, kChunk - head.size());
        deliver(bridge, *message, reader.feed(piece), out);
        if (!bridge->lines.empty()) {
            asio::co_spawn(bridge->executor, write_lines(bridge), asio::detached);
        }
        return !bridge->closed;
    };
    const auto response = co_await (*post)(
        request_for(*message, bridge->negotiated, bridge->options.token), sink, deadline);
    if (!response) {
        const Code code = response.error().code;
        out.failure = failure_line(message->id, response.error());
        out.again =
            code == Code::kUnavailable || (code == Code::kOutcomeUnknown && message->repeatable);
        co_return out;
    }
    head += response->body.substr(0, kChunk);
    deliver(bridge, *message, reader.feed(response->body), out);
    deliver(bridge, *message, reader.finish(), out);
    if (out.answered || message->id.empty()) {
        out.answered = true;
        co_return out;
    }
    out.failure = failure_line(message->id, response->status, head);
    // 503: not now. 200 without an answer: the connection was cut inside an event stream.
    out.again = message->repeatable && (response->status == 503 || response->status == 200);
    co_return out;
}

task<void> forward(Shared bridge, std::shared_ptr<const Outgoing> message) {
    const Deadline deadline = Deadline::after(bridge->options.deadline);
    std::chrono::milliseconds pause = kFirstPause;
    std::shared_ptr<Post> post = bridge->post;
    Attempt attempt;
    while (true) {
        if (!post) {
            auto found = co_await connection(bridge, nullptr);
            if (found) {
                post = std::move(*found);
            } else {
                attempt = {false, true, failure_line(message->id, found.error())};
            }
        }
        if (post) attempt = co_await attempt_once(bridge, post, message, deadline);
        if (attempt.answered || !attempt.again || bridge->closed) break;
        if (deadline.left() <= pause) break;
        co_await sleep_for(pause);
        pause = std::min(pause * 2, kLongestPause);
        auto found = co_await connection(bridge, post);
        post = found ? std::move(*found) : nullptr;
    }
    const auto at = bridge->pending.find(message->id);
    const bool cancelled = at != bridge->pending.end() && at->second;
    if (!attempt.answered && !message->id.empty() && !cancelled)
        bridge->lines.push_back(std::move(attempt.failure));
    co_await write_lines(bridge);
}

task<void> take(Shared bridge, std::string line) {
    auto read = read_line(
        line, fmt::format("stdio-{}", system_uuid_source().next(SystemClock().now()).str()));
    if (!read) {
        co_await emit(bridge, std::move(read).error());
        co_return;
    }
    if (!read->cancelled.empty()) {
        const auto at = bridge->pending.find(read->cancelled);
        if (at != bridge->pending.end()) at->second = true;
    }
    while (bridge->running >= bridge->options.concurrent) co_await bridge->changed.wait();
    ++bridge->running;
    auto message = std::make_shared<const Outgoing>(std::move(*read));
    if (!message->id.empty()) bridge->pending[message->id] = false;
    asio::co_spawn(bridge->executor, forward(bridge, message),
                   [bridge, message](const std::exception_ptr&) {
                       --bridge->running;
                       bridge->pending.erase(message->id);
                       bridge->changed.ring();
                   });
}

}  // namespace

task<result<void>> run_stdio_bridge(Runtime& runtime, Connect connect, BridgeOptions options) {
    auto bridge = std::make_shared<Bridge>(runtime, std::move(connect), std::move(options),
                                           co_await asio::this_coro::executor);
    if (auto first = co_await connection(bridge, nullptr); !first)
        co_return tl::unexpected(std::move(first).error());

    std::string input;
    bool skipping = false;  // the rest of a line that is too long
    while (!bridge->closed) {
        const std::string piece = co_await runtime.blocking(
            [&] { return read_some(bridge->options.in, bridge->closed); });
        if (piece.empty()) break;
        input += piece;
        std::size_t begin = 0;
        for (std::size_t end = input.find('\n'); end != std::string::npos;
             end = input.find('\n', begin)) {
            const std::string line(trim(std::string_view(input).substr(begin, end - begin)));
            begin = end + 1;
            if (!std::exchange(skipping, false) && !line.empty()) co_await take(bridge, line);
        }
        input.erase(0, begin);
        if (input.size() > bridge->options.longest_line) {
            input.clear();
            if (!std::exchange(skipping, true)) {
                co_await emit(bridge,
                              failure_line("", Error(Code::kTooLarge,
                                                     fmt::format("a message has at most {} bytes",
                                                                 bridge->options.longest_line))));
            }
        }
    }
    if (const std::string last(trim(input)); !last.empty() && !skipping)
        co_await take(bridge, last);
    while (bridge->running > 0 || bridge->writing) co_await bridge->changed.wait();
    co_await write_lines(bridge);
    if (bridge->closed) co_return fail(Code::kUnavailable, "the output is closed");
    co_return result<void>{};
}

Post post_over_http(const net::Url& url) {
    net::HttpClientOptions options;
    options.idle_connections = BridgeOptions{}.concurrent;
    auto client = std::make_shared<net::HttpClient>(url, options);
    return [client](net::HttpRequest request, std::function<bool(std::string_view)> sink,
                    Deadline deadline) {
        return client->stream(std::move(request), std::move(sink), deadline);
    };
}

}  // namespace aeterna::mcp
