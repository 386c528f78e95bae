#pragma once
// For tests: a blocking TCP socket that sends exactly what it is told, in the pieces it is told.
#include <arpa/inet.h>
#include <cstdint>
#include <cstdlib>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace aeterna::net {

class RawSocket {
  public:
    static constexpr bool kConnect = true;

    explicit RawSocket(std::uint16_t port)
        : RawSocket(::socket(AF_INET, SOCK_STREAM, 0), port, kConnect) {}
    RawSocket(int fd, std::uint16_t port, bool /*connect*/) : RawSocket(fd, 0) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
            throw std::runtime_error("connect");
        }
    }
    RawSocket(int fd, int /*adopt*/) : fd_(fd) {
        const timeval patience{.tv_sec = 10, .tv_usec = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    RawSocket(RawSocket&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
    RawSocket& operator=(RawSocket&&) = delete;
    ~RawSocket() {
        if (fd_ >= 0) ::close(fd_);
    }

    /// False when the peer has closed.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    void half_close() { ::shutdown(fd_, SHUT_WR); }
    /// The peer sees a reset.
    void abort() {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        ::close(std::exchange(fd_, -1));
    }
    void receive_buffer(int bytes) {
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }

    /// Until the peer closes.
    std::string read_all() {
        while (fill()) {
        }
        return std::exchange(buffer_, {});
    }
    /// Up to and with `end`; all there is when the peer closes before.
    std::string read_until(std::string_view end) {
        std::size_t at = 0;
        while ((at = buffer_.find(end)) == std::string::npos) {
            if (!fill()) return std::exchange(buffer_, {});
        }
        return take(at + end.size());
    }
    std::string read_exactly(std::size_t count) {
        while (buffer_.size() < count && fill()) {
        }
        return take(std::min(count, buffer_.size()));
    }
    /// One answer with a Content-Length or without a body.
    std::string read_answer() {
        std::string answer = read_until("\r\n\r\n");
        static constexpr std::string_view kLength = "Content-Length: ";
        if (const std::size_t at = answer.find(kLength); at != std::string::npos) {
            answer += read_exactly(std::strtoul(answer.c_str() + at + kLength.size(), nullptr, 10));
        }
        return answer;
    }
    /// True when the peer has closed and nothing is left to read.
    bool closed() {
        while (fill()) {
        }
        return buffer_.empty() && !timed_out_;
    }

  private:
    bool fill() {
        char chunk[4096];
        const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
        timed_out_ = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (got <= 0) return false;
        buffer_.append(chunk, static_cast<std::size_t>(got));
        return true;
    }
    std::string take(std::size_t count) {
        std::string out = buffer_.substr(0, count);
        buffer_.erase(0, count);
        return out;
    }

    int fd_ = -1;
    bool timed_out_ = false;
    std::string buffer_;
};

}  // namespace aeterna::net
