#include "net/response_head.hpp"

#include <algorithm>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

#include "base/ids.hpp"
#include "base/text.hpp"
#include "observe/log.hpp"

namespace aeterna::net {
namespace {

/// IMF-fixdate of this second; made once a second and thread.
std::string_view http_date() {
    thread_local std::time_t made = -1;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != made) {
        static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
        static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        std::tm parts{};
        ::gmtime_r(&now, &parts);
        text = fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[parts.tm_wday],
                           parts.tm_mday, kMonths[parts.tm_mon], parts.tm_year + 1900,
                           parts.tm_hour, parts.tm_min, parts.tm_sec);
        made = now;
    }
    return text;
}

bool is_ours(std::string_view name) {
    return equals_ignoring_case(name, "Content-Length") ||
           equals_ignoring_case(name, "Transfer-Encoding") ||
           equals_ignoring_case(name, "Connection") || equals_ignoring_case(name, "Date");
}

}  // namespace

bool valid_header(std::string_view name, std::string_view value) noexcept {
    static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    const bool token = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               kMarks.find(c) != std::string_view::npos;
    });
    return token && std::none_of(value.begin(), value.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return (byte < 0x20 && byte != '\t') || byte == 0x7f;
           });
}

bool status_has_body(int status) noexcept {
    return status >= 200 && status != 204 && status != 304;
}

void append_response_head(std::string& out, const HttpResponse& response,
                          const AnswerFraming& framing) {
    out += framing.http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
    fmt::format_to(std::back_inserter(out), "{} {}\r\nDate: {}\r\n", response.status,
                   reason_phrase(response.status), http_date());
    for (const Header& header : response.headers.all()) {
        if (is_ours(header.name)) continue;
        if (!valid_header(header.name, header.value)) {
            log::limited(log::Level::kError, "bad_response_header", "response_header_dropped",
                         {{"name", header.name}});
            continue;
        }
        out += header.name;
        out += ": ";
        out += header.value;
        out += "\r\n";
    }
    if (framing.chunked) {
        out += "Transfer-Encoding: chunked\r\n";
    } else if (!framing.until_close && status_has_body(response.status)) {
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", framing.length);
    }
    if (!framing.keep_alive) out += "Connection: close\r\n";
    out += "\r\n";
}

HttpResponse plain_error(int status, std::string_view error, std::string_view message,
                         bool retryable) {
    const std::string id = system_uuid_source().next(SystemClock().now()).str();
    HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", "application/json");
    response.headers.add("X-Request-Id", id);
    if (status == 503) response.headers.add("Retry-After", "1");
    std::string shown;
    for (const char c : message) {
        if (c == '"' || c == '\\') shown += '\\';
        shown += c;
    }
    response.body =
        fmt::format(R"({{"error":"{}","message":"{}","retryable":{},"requestId":"{}"}})", error,
                    shown, retryable, id);
    return response;
}

}  // namespace aeterna::net
