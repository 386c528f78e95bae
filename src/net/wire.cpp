#include "net/wire.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

namespace aeterna::net {
namespace {

using boost::system::error_code;

class PlainWire final : public Wire {
  public:
    explicit PlainWire(LoopExecutor executor) : socket_(executor) {}

    task<error_code> handshake() override { co_return error_code(); }

    task<std::size_t> read(std::span<char> into, error_code& error) override {
        const std::size_t count = co_await socket_.async_read_some(
            asio::buffer(into.data(), into.size()), asio::redirect_error(kAwait, error));
        if (error == asio::error::eof) error = {};
        co_return count;
    }

    task<error_code> write(std::string_view bytes) override {
        error_code error;
        co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                                   asio::redirect_error(kAwait, error));
        co_return error;
    }

    [[nodiscard]] Socket& socket() noexcept override { return socket_; }

  private:
    Socket socket_;
};

}  // namespace

void Wire::close() noexcept {
    error_code ignored;
    socket().close(ignored);
}

bool Wire::quiet() noexcept {
    char byte = 0;
    error_code error;
    socket().non_blocking(true, error);
    if (error) return false;
    socket().receive(asio::buffer(&byte, 1), Socket::message_peek, error);
    return error == asio::error::would_block;
}

std::unique_ptr<Wire> make_plain_wire(LoopExecutor executor) {
    return std::make_unique<PlainWire>(executor);
}

}  // namespace aeterna::net
