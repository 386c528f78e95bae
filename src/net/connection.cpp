#include "net/connection.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "net/response_head.hpp"
#include "observe/log.hpp"

namespace aeterna::net {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;

constexpr std::size_t kCopyBody = 16 * 1024;  // smaller bodies go out in one piece with their head
constexpr std::size_t kLingerBytes = 16 * 1024 * 1024;
constexpr std::chrono::milliseconds kLinger = 2s;
constexpr std::chrono::milliseconds kShortLinger = 200ms;
constexpr std::size_t kBodyRate = 64 * 1024;  // bytes that earn a second more

constexpr Rejection kTimeOut{408, "request_timeout",
                             "The request did not arrive in time. Send it again.", "timeout", true};
constexpr Rejection kFull{503, "overloaded", "The server has all the connections it takes. Retry.",
                          "full", true};
constexpr Rejection kNoMemory{
    503, "overloaded", "The server holds all the request bodies it takes. Retry.", "full", true};

}  // namespace

void LoopConnections::add(const std::shared_ptr<ServerCore>& core, Connection& connection) {
    connection.slot = open.size();
    open.push_back(&connection);
    if (!ticking) {
        ticking = true;
        arm(core);
    }
}

void LoopConnections::remove(Connection& connection) {
    open[connection.slot] = open.back();
    open[connection.slot]->slot = connection.slot;
    open.pop_back();
    assigned.fetch_sub(1, std::memory_order_relaxed);
}

void LoopConnections::arm(std::shared_ptr<ServerCore> core) {
    timer.expires_after(tick);
    timer.async_wait([this, kept = std::move(core)](error_code error) mutable {
        if (error || open.empty()) {
            ticking = false;  // an idle server does not wake up
            return;
        }
        const auto now = std::chrono::steady_clock::now();
        for (Connection* connection : open) connection->check_time(now);
        arm(std::move(kept));
    });
}

/// Turns pieces into chunks, or into bytes until the close for HTTP/1.0.
class StreamWriter final : public BodyWriter {
  public:
    StreamWriter(Connection& connection, bool chunked)
        : connection_(connection), chunked_(chunked) {}

    bool broken = false;

    task<result<void>> write(std::string piece) override {
        Connection& c = connection_;
        if (!broken && !c.stream_ended_ && !piece.empty()) {
            const std::string size = chunked_ ? fmt::format("{:x}\r\n", piece.size()) : "";
            broken = !co_await c.send(size, piece, chunked_ ? "\r\n" : "");
        }
        if (c.stream_ended_ && c.core_->draining) {
            co_return fail(Code::kUnavailable, "shutting_down", "The server is shutting down.");
        }
        if (broken || c.stream_ended_) {
            co_return fail(Code::kUnavailable, "peer_gone", "The reader of this answer has gone.");
        }
        co_return result<void>();
    }

  private:
    Connection& connection_;
    bool chunked_;
};

Connection::Connection(std::shared_ptr<ServerCore> core, LoopConnections& loop, TcpSocket socket)
    : core_(std::move(core)), loop_(loop), socket_(std::move(socket)), reader_(core_->limits) {
    error_code error;
    const auto remote = socket_.remote_endpoint(error);
    if (!error) {
        auto address = remote.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped()) {
            address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        }
        peer_ = {address.to_string(), remote.port()};
    }
    loop_.add(core_, *this);
    if (core_->probe != nullptr) core_->probe->connection_opened();
}

Connection::~Connection() {
    release_body();
    loop_.remove(*this);
    if (core_->probe != nullptr) core_->probe->connection_closed();
    core_->closed_one();
}

task<void> Connection::run(std::shared_ptr<Connection> self, bool full) {
    if (full) {
        co_await self->refuse(kFull);
    } else {
        co_await self->serve();
    }
    if (self->want_linger_) co_await self->linger();
    error_code ignored;
    self->socket_.close(ignored);
}

void Connection::wait_for(Wait what, std::chrono::milliseconds span) {
    wait_ = what;
    deadline_ = std::chrono::steady_clock::now() + span;
    timed_out_ = false;
}

void Connection::wait_for_request() {
    switch (reader_.phase()) {
        case RequestReader::Phase::kIdle:
            // Who has never asked anything gets no more time than for a head.
            if (wait_ != Wait::kIdle) {
                wait_for(Wait::kIdle,
                         served_one_ ? core_->options.idle_timeout : core_->options.header_timeout);
            }
            return;
        case RequestReader::Phase::kHead:
            if (wait_ != Wait::kHead) wait_for(Wait::kHead, core_->options.header_timeout);
            return;
        case RequestReader::Phase::kBody:
            if (wait_ != Wait::kBody) {
                wait_for(Wait::kBody, core_->options.body_timeout);
                body_started_ = deadline_;
            }
            deadline_ = body_started_ + std::chrono::seconds(reader_.body_bytes() / kBodyRate);
            return;
    }
}

void Connection::check_time(Monotonic now) {
    if (wait_ == Wait::kNone || now < deadline_) return;
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
}

void Connection::drain() {
    if (wait_ == Wait::kIdle || wait_ == Wait::kLinger) return cut();
    if (streaming_events_) end_stream();
}

void Connection::cut() {
    timed_out_ = true;  // no answer to a request that is cut off
    wait_ = Wait::kNone;
    error_code ignored;
    socket_.close(ignored);
}

bool Connection::account_body() {
    const std::size_t now = reader_.body_bytes();
    if (now > accounted_) core_->body_memory += now - accounted_;
    accounted_ = std::max(accounted_, now);
    return core_->body_memory <= core_->options.body_memory;
}

void Connection::release_body() {
    core_->body_memory -= accounted_;
    accounted_ = 0;
}

task<void> Connection::serve() {
    for (;;) {
        switch (reader_.next()) {
            case RequestReader::Step::kRequest: {
                wait_ = Wait::kNone;
                if (!co_await answer(reader_.take())) co_return;
                release_body();
                served_one_ = true;
                continue;
            }
            case RequestReader::Step::kRejected:
                co_await refuse(reader_.rejection());
                co_return;
            case RequestReader::Step::kContinue:
                if (!co_await send("HTTP/1.1 100 Continue\r\n\r\n", {}, {})) co_return;
                [[fallthrough]];
            case RequestReader::Step::kMore:
                break;
        }
        if (!account_body()) {
            co_await refuse(kNoMemory);
            co_return;
        }
        if (core_->draining && reader_.phase() == RequestReader::Phase::kIdle) co_return;
        wait_for_request();
        const auto space = reader_.space();
        error_code error;
        const std::size_t count = co_await socket_.async_read_some(
            asio::buffer(space.data(), space.size()), asio::redirect_error(kAwait, error));
        if (!error) {
            reader_.received(count);
            continue;
        }
        if (timed_out_ && socket_.is_open() && wait_ != Wait::kIdle) co_await refuse(kTimeOut);
        co_return;
    }
}

task<bool> Connection::answer(IncomingRequest incoming) {
    HttpResponse response;
    incoming.request.peer = peer_;
    if (core_->abandoned) co_return false;
    try {
        response = co_await core_->handler(std::move(incoming.request));
    } catch (const std::exception& error) {
        log::limited(log::Level::kError, "handler_exception", "handler_exception",
                     {{"what", error.what()}});
        response = plain_error(500, "internal",
                               "The server failed on this request; its log says why.", false);
    }
    if (!socket_.is_open()) co_return false;
    if (response.status < 200 || response.status > 599) {
        log::limited(log::Level::kError, "bad_status", "handler_bad_status",
                     {{"status", response.status}});
        response = plain_error(500, "internal", "The server failed on this request.", false);
    }
    const auto connection = response.headers.find("Connection");
    const bool keep_alive = incoming.keep_alive && !core_->draining &&
                            !(connection && equals_ignoring_case(*connection, "close"));
    AnswerFraming framing{.http11 = incoming.http11, .keep_alive = keep_alive};
    const bool has_body = status_has_body(response.status) && !incoming.head_only;
    if (response.stream) {
        if (has_body) co_return co_await stream(std::move(response), incoming.http11, keep_alive);
        framing.chunked = incoming.http11 && status_has_body(response.status);
        framing.until_close = !framing.chunked;
    }
    framing.length = response.body.size();
    out_.clear();
    append_response_head(out_, response, framing);
    std::string_view body;
    if (has_body && response.body.size() <= kCopyBody) {
        out_ += response.body;
    } else if (has_body) {
        body = response.body;
    }
    want_linger_ = !keep_alive;
    co_return co_await send(out_, body, {}) && keep_alive;
}

task<bool> Connection::stream(HttpResponse response, bool http11, bool keep_alive) {
    const AnswerFraming framing{.http11 = http11,
                                .keep_alive = keep_alive && http11,
                                .chunked = http11,
                                .until_close = !http11};
    out_.clear();
    append_response_head(out_, response, framing);
    if (!co_await send(out_, {}, {})) co_return false;

    const auto type = response.headers.find("Content-Type");
    stream_ended_ = false;
    streaming_events_ =
        type && equals_ignoring_case(type->substr(0, type->find(';')), "text/event-stream");
    if (streaming_events_) {
        watch_peer();
        if (core_->draining) stream_ended_ = true;
    }
    StreamWriter writer(*this, http11);
    bool whole = true;
    try {
        if (!stream_ended_) {
            co_await asio::co_spawn(loop_.context.get_executor(), response.stream(writer),
                                    asio::bind_cancellation_slot(stop_stream_.slot(), kAwait));
        }
    } catch (const std::exception& error) {
        // Cancellation arrives as an exception too, wherever the source waits next.
        if (!stream_ended_) {
            whole = false;
            log::limited(log::Level::kError, "stream_exception", "stream_exception",
                         {{"what", error.what()}});
        }
    }
    if (streaming_events_) {
        streaming_events_ = false;
        error_code ignored;
        if (socket_.is_open()) socket_.cancel(ignored);  // the watch on the peer
    }
    if (writer.broken || !whole || !socket_.is_open()) co_return false;
    if (stream_ended_ && !core_->draining) co_return false;
    want_linger_ = !framing.keep_alive || core_->draining;
    if (http11 && !co_await send("0\r\n\r\n", {}, {})) co_return false;
    co_return framing.keep_alive && !core_->draining;
}

void Connection::watch_peer() {
    socket_.async_wait(TcpSocket::wait_read, [self = shared_from_this()](error_code error) {
        if (!error && self->streaming_events_) self->peer_readable();
    });
}

void Connection::peer_readable() {
    const std::size_t room = reader_.read_ahead_room();
    if (room == 0) return;  // it pipelines on; its close is then seen by writing
    const auto space = reader_.space();
    error_code error;
    const std::size_t count =
        socket_.read_some(asio::buffer(space.data(), std::min(room, space.size())), error);
    if (error && error != asio::error::would_block) return end_stream();
    reader_.received(count);
    watch_peer();
}

void Connection::end_stream() {
    if (stream_ended_) return;
    stream_ended_ = true;
    stop_stream_.emit(asio::cancellation_type::terminal);
}

task<void> Connection::refuse(Rejection why) {
    core_->reject(why.probe);
    refused_ = true;
    release_body();  // what was read of it is not waited for any more
    const HttpResponse response = plain_error(why.status, why.error, why.message, why.retryable);
    out_.clear();
    append_response_head(out_, response, {.keep_alive = false, .length = response.body.size()});
    out_ += response.body;
    want_linger_ = co_await send(out_, {}, {});
}

/// Says that no more will come and, when the peer is still sending, reads on for a while: closing
/// with unread bytes would reset the connection and could take the answer from the peer.
task<void> Connection::linger() {
    error_code error;
    socket_.shutdown(TcpSocket::shutdown_send, error);
    if (error) co_return;
    if (!refused_ && !reader_.holds_bytes() && socket_.available(error) == 0) co_return;
    wait_for(Wait::kLinger, core_->draining ? kShortLinger : kLinger);
    std::array<char, 4096> sink{};
    for (std::size_t total = 0; total < kLingerBytes;) {
        total += co_await socket_.async_read_some(asio::buffer(sink),
                                                  asio::redirect_error(kAwait, error));
        if (error) break;
    }
    wait_ = Wait::kNone;
}

task<bool> Connection::send(std::string_view head, std::string_view body, std::string_view tail) {
    std::array<asio::const_buffer, 3> parts{asio::buffer(head.data(), head.size()),
                                            asio::buffer(body.data(), body.size()),
                                            asio::buffer(tail.data(), tail.size())};
    std::size_t left = head.size() + body.size() + tail.size();
    while (left > 0) {
        wait_for(Wait::kWrite, core_->options.write_timeout);
        error_code error;
        std::size_t count =
            co_await socket_.async_write_some(parts, asio::redirect_error(kAwait, error));
        if (error) {
            if (timed_out_) core_->reject("timeout");
            wait_ = Wait::kNone;
            co_return false;
        }
        left -= count;
        for (auto& part : parts) {
            const std::size_t step = std::min(count, part.size());
            part += step;
            count -= step;
        }
    }
    wait_ = Wait::kNone;
    co_return true;
}

}  // namespace aeterna::net
