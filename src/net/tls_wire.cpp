#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include "net/wire.hpp"

namespace aeterna::net {
namespace {

using boost::system::error_code;
namespace ssl = asio::ssl;

class TlsWire final : public Wire {
  public:
    TlsWire(LoopExecutor executor, ssl::context& context, const std::string& host)
        : stream_(executor, context) {
        error_code not_address;
        asio::ip::make_address(host, not_address);
        if (not_address) SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
        stream_.set_verify_callback(ssl::host_name_verification(host));
    }

    task<error_code> handshake() override {
        error_code error;
        co_await stream_.async_handshake(ssl::stream_base::client,
                                         asio::redirect_error(kAwait, error));
        co_return error;
    }

    task<std::size_t> read(std::span<char> into, error_code& error) override {
        const std::size_t count = co_await stream_.async_read_some(
            asio::buffer(into.data(), into.size()), asio::redirect_error(kAwait, error));
        // An end without close_notify may be an attacker's cut: it stays an error.
        if (error == asio::error::eof) error = {};
        co_return count;
    }

    task<error_code> write(std::string_view bytes) override {
        error_code error;
        co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                                   asio::redirect_error(kAwait, error));
        co_return error;
    }

    [[nodiscard]] Socket& socket() noexcept override { return stream_.next_layer(); }

  private:
    ssl::stream<Socket> stream_;
};

class TlsClientImpl final : public TlsClient {
  public:
    explicit TlsClientImpl(std::string host) : host_(std::move(host)) {}

    result<void> trust(const std::string& ca_file) {
        error_code error;
        context_.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                             ssl::context::no_tlsv1_1 | ssl::context::no_compression);
        context_.set_verify_mode(ssl::verify_peer);
        context_.set_default_verify_paths(error);
        if (!ca_file.empty()) context_.load_verify_file(ca_file, error);
        if (!error) return {};
        return fail(Code::kUnavailable, "tls_trust",
                    fmt::format("Cannot read the trusted certificates{}{}: {}.",
                                ca_file.empty() ? "" : " in ", ca_file, error.message()));
    }

    [[nodiscard]] std::unique_ptr<Wire> wire(LoopExecutor executor) override {
        return std::make_unique<TlsWire>(executor, context_, host_);
    }

  private:
    ssl::context context_{ssl::context::tls_client};
    std::string host_;
};

}  // namespace

result<std::shared_ptr<TlsClient>> TlsClient::make(std::string host, const std::string& ca_file) {
    auto client = std::make_shared<TlsClientImpl>(std::move(host));
    AETERNA_TRY(client->trust(ca_file));
    return client;
}

}  // namespace aeterna::net
