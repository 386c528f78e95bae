// Any bytes as what a peer sends to the server, once whole and once in pieces: both ways must give
// the same requests and the same rejection, and what comes out must keep the server's promises.
// Each request is also written again and read back: nobody behind us may read it differently.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.hpp"
#include "net/request_reader.hpp"
#include "net/response_head.hpp"

namespace {

using namespace aeterna::net;

struct Seen {
    std::vector<std::string> requests;
    int rejected = 0;
    bool operator==(const Seen&) const = default;
};

constexpr std::size_t kHeader = 1024;
constexpr std::size_t kTarget = 128;
constexpr std::size_t kBody = 256;

void must(bool promise) {
    if (!promise) std::abort();
}

const RequestLimits& limits() {
    static const RequestLimits instance{
        .header = kHeader, .target = kTarget, .body = [](auto, auto) { return kBody; }};
    return instance;
}

std::string written(const IncomingRequest& incoming) {
    const HttpRequest& request = incoming.request;
    std::string out = (incoming.head_only ? "HEAD" : request.method) + ' ' + request.target +
                      (incoming.http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    for (const Header& header : request.headers.all()) {
        if (header.name.size() == 14 || header.name.size() == 17) {  // the framing, below
            Headers one;
            one.add(header.name, "");
            if (one.count("Content-Length") + one.count("Transfer-Encoding") != 0) continue;
        }
        out += header.name + ": " + header.value + "\r\n";
    }
    return out + "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" +
           request.body;
}

void check(const IncomingRequest& incoming) {
    const HttpRequest& request = incoming.request;
    must(request.target.starts_with('/') && request.target.size() <= kTarget + 1);
    must(request.target == request.path + (request.query.empty() ? "" : "?" + request.query) ||
         request.target == request.path + "?");
    must(valid_header(request.method, ""));
    must(request.body.size() <= kBody);
    must(request.headers.count("Host") == 1 ||
         (!incoming.http11 && request.headers.count("Host") == 0));
    for (const Header& header : request.headers.all()) {
        must(valid_header(header.name, header.value));
    }
    must(incoming.http11 || !incoming.keep_alive);
    // What the router does next.
    if (const auto path = percent_decode(request.path))
        must(percent_decode(percent_encode(*path)) == path);
    (void)query_parameter(request.query, "limit");
}

Seen feed(std::string_view bytes, std::size_t step, bool again) {
    Seen seen;
    RequestReader reader(limits());
    for (;;) {
        const auto next = reader.next();
        if (next == RequestReader::Step::kRejected) {
            seen.rejected = reader.rejection().status;
            must(reader.next() == RequestReader::Step::kRejected);
            return seen;
        }
        if (next == RequestReader::Step::kRequest) {
            const IncomingRequest incoming = reader.take();
            check(incoming);
            const std::string text = written(incoming);
            // The head may have grown past its limit by our Content-Length line.
            if (again && text.size() - incoming.request.body.size() <= kHeader) {
                const Seen same = feed(text, 4096, false);
                must(same.rejected == 0 && same.requests == std::vector{text});
            }
            seen.requests.push_back(text);
            continue;
        }
        if (bytes.empty()) return seen;
        const auto space = reader.space();
        must(!space.empty());
        const std::size_t count = std::min({space.size(), step, bytes.size()});
        std::copy_n(bytes.begin(), count, space.begin());
        reader.received(count);
        bytes.remove_prefix(count);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = data[0] % 32 + 1;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    must(feed(bytes, 1U << 20U, true) == feed(bytes, step, false));
    return 0;
}
