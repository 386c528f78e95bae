#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/result.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::net {

/// A connected stream of bytes, plain or TLS; belongs to one loop. `close` ends what waits.
class Wire {
  public:
    using Socket = asio::basic_stream_socket<asio::ip::tcp, LoopExecutor>;

    virtual ~Wire() = default;
    /// After the TCP connection stands; plain wires have nothing to do.
    virtual task<boost::system::error_code> handshake() = 0;
    /// Zero bytes and no error: the peer has ended properly.
    virtual task<std::size_t> read(std::span<char> into, boost::system::error_code& error) = 0;
    virtual task<boost::system::error_code> write(std::string_view bytes) = 0;
    [[nodiscard]] virtual Socket& socket() noexcept = 0;

    void close() noexcept;
    /// Nothing has come and the peer has not closed: fit for another request.
    [[nodiscard]] bool quiet() noexcept;
};

[[nodiscard]] std::unique_ptr<Wire> make_plain_wire(LoopExecutor executor);

/// The client's side of TLS: 1.2 or newer, the peer's certificate checked against the system's
/// store and its name.
class TlsClient {
  public:
    /// `host` is checked in the certificate and sent as SNI when it is a name. kUnavailable when
    /// `ca_file` (may be empty) cannot be read.
    [[nodiscard]] static result<std::shared_ptr<TlsClient>> make(std::string host,
                                                                 const std::string& ca_file);
    virtual ~TlsClient() = default;
    [[nodiscard]] virtual std::unique_ptr<Wire> wire(LoopExecutor executor) = 0;
};

}  // namespace aeterna::net
