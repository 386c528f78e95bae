#include <algorithm>
#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "net/http_client.hpp"

namespace aeterna::net {
namespace {

bool host_name(std::string_view text) {
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '.' || c == '_';
    });
}

}  // namespace

result<Url> Url::parse(std::string_view text) {
    const auto wrong = [text](std::string_view why) {
        return fail(Code::kMalformed, "bad_url",
                    fmt::format("\"{}\" is not a URL to use: {}. Write it as "
                                "http://127.0.0.1:8080 or https://name/path.",
                                cut_utf8(text, 100), why));
    };
    Url url;
    std::string_view rest = text;
    if (equals_ignoring_case(rest.substr(0, 7), "http://")) {
        rest.remove_prefix(7);
    } else if (equals_ignoring_case(rest.substr(0, 8), "https://")) {
        rest.remove_prefix(8);
        url.tls = true;
        url.port = 443;
    } else {
        return wrong("it must begin with http:// or https://");
    }
    for (const char c : rest) {
        if (c <= ' ' || c >= 0x7f) return wrong("it has a space or a byte outside ASCII");
        if (c == '?' || c == '#') return wrong("a query or fragment has no place in it");
    }
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    std::string_view authority = rest.substr(0, slash);
    url.path = rest.substr(slash);
    while (url.path.ends_with('/')) url.path.pop_back();
    if (authority.find('@') != std::string_view::npos) return wrong("a user has no place in it");

    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        boost::system::error_code bad;
        if (close == std::string_view::npos) return wrong("a bracket is not closed");
        url.host = authority.substr(1, close - 1);
        asio::ip::make_address_v6(url.host, bad);
        if (bad) return wrong("the brackets hold no IPv6 address");
        authority.remove_prefix(close + 1);
    } else {
        const std::size_t colon = std::min(authority.find(':'), authority.size());
        url.host = authority.substr(0, colon);
        if (!host_name(url.host)) return wrong("the host must be a name or an address");
        authority.remove_prefix(colon);
    }
    if (authority.empty()) return url;
    authority.remove_prefix(1);
    const char* const end = authority.data() + authority.size();
    const auto [at, error] = std::from_chars(authority.data(), end, url.port);
    if (error != std::errc() || at != end || url.port == 0) {
        return wrong("the port must be a number from 1 to 65535");
    }
    return url;
}

std::string Url::authority() const {
    const bool v6 = host.find(':') != std::string::npos;
    std::string out = v6 ? '[' + host + ']' : host;
    if (port != (tls ? 443 : 80)) out += ':' + std::to_string(port);
    return out;
}

}  // namespace aeterna::net
