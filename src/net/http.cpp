#include "net/http.hpp"

#include <algorithm>
#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::net {

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const Header& header : items_) {
        if (equals_ignoring_case(header.name, name)) return header.value;
    }
    return std::nullopt;
}

void Headers::set(std::string_view name, std::string value) {
    const auto first = std::find_if(items_.begin(), items_.end(), [&](const Header& header) {
        return equals_ignoring_case(header.name, name);
    });
    if (first == items_.end()) {
        items_.push_back({std::string(name), std::move(value)});
        return;
    }
    first->value = std::move(value);
    items_.erase(std::remove_if(
                     first + 1, items_.end(),
                     [&](const Header& header) { return equals_ignoring_case(header.name, name); }),
                 items_.end());
}

void Headers::add(std::string name, std::string value) {
    if (items_.empty()) items_.reserve(8);
    items_.push_back({std::move(name), std::move(value)});
}

void Headers::erase(std::string_view name) {
    std::erase_if(items_,
                  [&](const Header& header) { return equals_ignoring_case(header.name, name); });
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        items_.begin(), items_.end(),
        [&](const Header& header) { return equals_ignoring_case(header.name, name); }));
}

bool Endpoint::loopback() const {
    boost::system::error_code error;
    const auto parsed = asio::ip::make_address(address, error);
    if (error) return false;
    if (parsed.is_v6() && parsed.to_v6().is_v4_mapped()) {
        return asio::ip::make_address_v4(asio::ip::v4_mapped, parsed.to_v6()).is_loopback();
    }
    return parsed.is_loopback();
}

std::string Endpoint::str() const {
    const bool v6 = address.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

result<Endpoint> Endpoint::parse(std::string_view text) {
    const auto wrong = [text](std::string_view why) {
        return fail(Code::kMalformed, "bad_address",
                    fmt::format("\"{}\" is not an address to use: {}. Write it as 127.0.0.1:8080, "
                                "[::1]:8080 or :8080.",
                                cut_utf8(text, 80), why));
    };
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong("the port is missing");
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
        return wrong("the port must be a number from 0 to 65535");
    }
    if (host.empty()) return Endpoint{"::", port};
    if (host == "localhost") return Endpoint{"127.0.0.1", port};
    const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    boost::system::error_code bad;
    const auto address = asio::ip::make_address(std::string(host), bad);
    if (bad) return wrong("the host must be an IP address or localhost");
    if (address.is_v6() != brackets) return wrong("IPv6 addresses, and only they, need brackets");
    return Endpoint{address.to_string(), port};
}

std::string_view reason_phrase(int status) noexcept {
    switch (status) {
        case 100:
            return "Continue";
        case 101:
            return "Switching Protocols";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 425:
            return "Too Early";
        case 428:
            return "Precondition Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        case 507:
            return "Insufficient Storage";
        default:
            return "Unknown";
    }
}

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool unreserved(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c <= ' ' || c >= 0x7f) {  // char is signed: this includes every byte past 0x7f
            return std::nullopt;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out += c;
    }
    if (!is_valid_utf8(out)) return std::nullopt;
    return out;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
    return decode(text, false);
}

std::string percent_encode(std::string_view text) {
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (unreserved(c)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kHex[byte >> 4U];
        out += kHex[byte & 15U];
    }
    return out;
}

result<std::optional<std::string>> query_parameter(std::string_view query, std::string_view name) {
    std::optional<std::string> found;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const auto key = decode(pair.substr(0, equals), true);
        if (!key) {
            return fail(Code::kMalformed, "bad_query",
                        "The query has a parameter name that is not percent-encoded UTF-8.");
        }
        if (*key != name) continue;
        auto value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
        if (!value) {
            return fail(Code::kMalformed, "bad_query",
                        fmt::format("The value of query parameter \"{}\" is not percent-encoded "
                                    "UTF-8.",
                                    name));
        }
        if (found) {
            return fail(Code::kMalformed, "bad_query",
                        fmt::format("Query parameter \"{}\" is given twice. Give it once.", name));
        }
        found = std::move(value);
    }
    return found;
}

}  // namespace aeterna::net
