#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/http_client.hpp"
#include "net/raw_socket.hpp"

namespace aeterna::net {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Certificate {
    std::string key_pem;
    std::string certificate_pem;
};

std::string drain(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

/// Self-signed, for "localhost" and nothing else.
Certificate make_certificate() {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> x509(X509_new(), X509_free);
    X509_set_version(x509.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    X509_set_pubkey(x509.get(), key.get());
    X509_NAME* const name = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(x509.get(), name);
    X509_EXTENSION* const names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(x509.get(), names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x509.get(), key.get(), EVP_sha256());

    const std::unique_ptr<BIO, decltype(&BIO_free)> key_bio(BIO_new(BIO_s_mem()), BIO_free);
    const std::unique_ptr<BIO, decltype(&BIO_free)> cert_bio(BIO_new(BIO_s_mem()), BIO_free);
    PEM_write_bio_PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_bio_X509(cert_bio.get(), x509.get());
    return {drain(key_bio.get()), drain(cert_bio.get())};
}

/// Takes connections one by one: handshake, then one fixed answer for each request.
class TlsServer {
  public:
    explicit TlsServer(const Certificate& certificate, std::string answer)
        : answer_(std::move(answer)) {
        tls_.use_certificate_chain(asio::buffer(certificate.certificate_pem));
        tls_.use_private_key(asio::buffer(certificate.key_pem), asio::ssl::context::pem);
        port = acceptor_.local_endpoint().port();
        thread_ = std::thread([this] { run(); });
    }
    ~TlsServer() {
        stopping_ = true;
        {
            const RawSocket wake(port);
        }
        thread_.join();
    }
    TlsServer(const TlsServer&) = delete;

    std::uint16_t port = 0;
    std::atomic<int> handshakes = 0;
    std::atomic<int> requests = 0;

  private:
    void run() {
        for (;;) {
            asio::ssl::stream<asio::ip::tcp::socket> stream(context_, tls_);
            acceptor_.accept(stream.next_layer());
            if (stopping_) return;
            boost::system::error_code error;
            stream.handshake(asio::ssl::stream_base::server, error);
            if (error) continue;
            ++handshakes;
            std::string request;
            while (!error) {
                asio::read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n", error);
                if (error) break;
                ++requests;
                request.clear();
                asio::write(stream, asio::buffer(answer_), error);
                if (answer_.find("Length") == std::string::npos) break;  // cut without notice
            }
        }
    }

    std::string answer_;
    asio::io_context context_;
    asio::ssl::context tls_{asio::ssl::context::tls_server};
    asio::ip::tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

class TlsClientTest : public testing::Test {
  protected:
    Runtime runtime{{.loops = 1, .blocking = 1}};
    Certificate certificate = make_certificate();
    std::filesystem::path folder;
    std::string ca_file;

    void SetUp() override {
        std::string shape = std::filesystem::temp_directory_path() / "aeterna-tls-XXXXXX";
        ASSERT_NE(::mkdtemp(shape.data()), nullptr);
        folder = shape;
        ca_file = folder / "ca.pem";
        std::ofstream(ca_file) << certificate.certificate_pem;
    }
    void TearDown() override {
        runtime.stop();
        std::filesystem::remove_all(folder);
    }
    result<HttpResponse> get(HttpClient& client, std::chrono::milliseconds span = 10s) {
        HttpRequest request;
        request.method = "GET";
        request.target = "/";
        return asio::co_spawn(runtime.loop(0), client.send(request, Deadline::after(span)),
                              asio::use_future)
            .get();
    }
};

const char* const kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(TlsClientTest, talks_to_a_server_it_trusts_and_keeps_the_connection) {
    TlsServer server(certificate, kOk);
    HttpClient client(Url{true, "localhost", server.port, ""}, {.ca_file = ca_file});
    for (int i = 0; i < 3; ++i) {
        const auto got = get(client);
        ASSERT_TRUE(got.has_value()) << got.error().message;
        EXPECT_EQ(got->body, "ok");
    }
    EXPECT_EQ(server.handshakes, 1);
    EXPECT_EQ(server.requests, 3);
}

TEST_F(TlsClientTest, refuses_a_stranger) {
    TlsServer server(certificate, kOk);
    HttpClient client(Url{true, "localhost", server.port, ""});
    const auto got = get(client);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kUnavailable);
    EXPECT_THAT(got.error().message, HasSubstr("certificate"));
    EXPECT_EQ(server.requests, 0);
}

TEST_F(TlsClientTest, refuses_another_name) {
    TlsServer server(certificate, kOk);
    HttpClient client(Url{true, "127.0.0.1", server.port, ""}, {.ca_file = ca_file});
    const auto got = get(client);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kUnavailable);
    EXPECT_EQ(server.requests, 0);
}

TEST_F(TlsClientTest, an_end_without_notice_is_no_whole_answer) {
    TlsServer server(certificate, "HTTP/1.1 200 OK\r\n\r\npart");
    HttpClient client(Url{true, "localhost", server.port, ""}, {.ca_file = ca_file});
    const auto got = get(client);
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(got.error().code, Code::kOutcomeUnknown);
}

TEST_F(TlsClientTest, a_handshake_that_never_ends_meets_the_connect_time_out) {
    asio::io_context context;
    const asio::ip::tcp::acceptor silent(context, {asio::ip::address_v4::loopback(), 0});
    HttpClient client(Url{true, "localhost", silent.local_endpoint().port(), ""},
                      {.connect_timeout = 60ms});
    EXPECT_EQ(get(client).error().code, Code::kUnavailable);
    EXPECT_EQ(get(client, 30ms).error().code, Code::kDeadlineExceeded);
}

TEST_F(TlsClientTest, a_missing_certificate_file_is_named) {
    HttpClient client(Url{true, "localhost", 1, ""}, {.ca_file = folder / "none.pem"});
    const auto got = get(client);
    ASSERT_FALSE(got.has_value());
    EXPECT_THAT(got.error().message, HasSubstr("none.pem"));
}

}  // namespace
}  // namespace aeterna::net
