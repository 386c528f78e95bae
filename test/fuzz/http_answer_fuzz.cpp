// Any bytes as what a server answers to our client, once whole and once in pieces: the same answer
// or the same refusal, never more body than the limit.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/response_reader.hpp"

namespace {

using namespace aeterna::net;

constexpr std::size_t kBody = 256;

void must(bool promise) {
    if (!promise) std::abort();
}

/// Status, headers and body; "bad" when there is no answer.
std::string feed(std::string_view bytes, std::size_t step, bool to_head) {
    ResponseReader reader(to_head, false, kBody);
    for (;;) {
        auto next = reader.next();
        if (next == ResponseReader::Step::kMore && bytes.empty()) next = reader.ended();
        if (next == ResponseReader::Step::kBad) {
            must(!reader.problem().empty());
            return "bad";
        }
        must(reader.response().body.size() <= kBody);
        if (next == ResponseReader::Step::kDone) break;
        const auto space = reader.space();
        must(!space.empty());
        const std::size_t count = std::min({space.size(), step, bytes.size()});
        std::copy_n(bytes.begin(), count, space.begin());
        reader.received(count);
        bytes.remove_prefix(count);
    }
    const HttpResponse& response = reader.response();
    must(response.status >= 200 && response.status <= 599);
    std::string out = std::to_string(response.status) + '\n';
    for (const Header& header : response.headers.all()) {
        out += header.name + ':' + header.value + '\n';
    }
    return out + '\n' + response.body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = data[0] % 32 + 1;
    const bool to_head = data[0] >= 128;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    must(feed(bytes, 1U << 20U, to_head) == feed(bytes, step, to_head));
    return 0;
}
