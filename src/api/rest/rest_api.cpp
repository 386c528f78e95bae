#include "api/rest/rest_api.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "api/rest/reply.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "observe/log.hpp"

namespace aeterna::rest {

namespace {

constexpr std::int64_t kLongestTimeout = 600'000;
constexpr std::size_t kLongestKey = 255;

bool is_visible_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string request_id_of(const net::HttpRequest& request, Timestamp now) {
    const auto given = request.headers.find("X-Request-Id");
    if (given && !given->empty() && given->size() <= 128 && is_visible_ascii(*given))
        return std::string(*given);
    return system_uuid_source().next(now).str();
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

result<Deadline> deadline_of(const net::HttpRequest& request, std::chrono::milliseconds usual) {
    const auto given = request.headers.find("X-Request-Timeout");
    if (!given) return Deadline::at(request.arrived + usual);
    const auto millis = whole_number(*given);
    if (!millis || *millis < 1 || *millis > kLongestTimeout) {
        return fail(
            Code::kMalformed, "bad_timeout",
            fmt::format("X-Request-Timeout must be milliseconds from 1 to {}", kLongestTimeout));
    }
    return Deadline::at(request.arrived + std::chrono::milliseconds(*millis));
}

}  // namespace

RestApi::RestApi(const Gate& gate, const Clock& clock, RestOptions options, ApiProbe* probe)
    : gate_(gate), clock_(clock), options_(options), probe_(probe) {}

void RestApi::add(std::string_view method, std::string_view pattern, RouteKind kind, Route route) {
    router_.add(method, pattern, std::move(route));
    kinds_.emplace_back(fmt::format("{} {}", method, pattern), kind);
}

void RestApi::add_not_built(std::string prefix, std::string text) {
    not_built_.emplace_back(std::move(prefix), std::move(text));
}

task<net::HttpResponse> RestApi::dispatch(net::HttpRequest request, std::string request_id,
                                          std::string& pattern) {
    auto match = router_.find(request.method, request.path);
    if (!match) {
        // Who may not come in does not learn which routes exist.
        auto caller = co_await gate_.admit(request, Deadline::after(options_.read_deadline));
        if (!caller) co_return error_response(caller.error(), request_id);
        for (const auto& [prefix, text] : not_built_) {
            if (request.path == prefix || request.path.starts_with(prefix + "/")) {
                pattern = prefix;
                co_return error_response(Error(Code::kNotBuilt, text), request_id);
            }
        }
        co_return error_response(match.error(), request_id);
    }
    pattern = match->pattern;
    const std::string name =
        fmt::format("{} {}", request.method == "HEAD" ? "GET" : request.method, pattern);
    const auto kind = std::ranges::find(kinds_, name, &std::pair<std::string, RouteKind>::first);
    const bool reads = kind != kinds_.end() && kind->second == RouteKind::kRead;
    const auto deadline =
        deadline_of(request, reads ? options_.read_deadline : options_.write_deadline);
    if (!deadline) co_return error_response(deadline.error(), request_id);
    auto caller = co_await gate_.admit(request, *deadline);
    if (!caller) co_return error_response(caller.error(), request_id);
    Exchange exchange{std::move(request), std::move(*caller), *deadline, std::move(request_id),
                      std::move(match->parameters)};
    co_return co_await (*match->route)(std::move(exchange));
}

task<net::HttpResponse> RestApi::handle(net::HttpRequest request) {
    const auto started = std::chrono::steady_clock::now();
    const std::string request_id = request_id_of(request, clock_.now());
    const std::string method = request.method;
    const std::string path = request.path;
    const std::string trace(request.headers.find("traceparent").value_or(""));
    std::string pattern = "unknown";
    net::HttpResponse response = co_await dispatch(std::move(request), request_id, pattern);
    response.headers.set("X-Request-Id", request_id);
    const auto took = std::chrono::steady_clock::now() - started;
    if (probe_ != nullptr) probe_->answered(method, pattern, response.status, took);
    const auto level = response.status >= 500 ? log::Level::kWarn : log::Level::kDebug;
    if (log::enabled(level)) {
        log::write(level, "request",
                   {{"method", method},
                    {"path", std::string(cut_utf8(path, 200))},
                    {"status", response.status},
                    {"micros", std::chrono::duration_cast<std::chrono::microseconds>(took).count()},
                    {"requestId", request_id},
                    {"traceparent", trace}});
    }
    co_return response;
}

result<json::Object> body_object(const Exchange& exchange, std::size_t depth, bool optional) {
    if (optional && trim(exchange.request.body).empty()) return json::Object{};
    const std::string type = media_type(exchange.request.headers.find("Content-Type").value_or(""));
    if (type != "application/json") {
        return fail(
            Code::kUnsupportedMedia, "content_type",
            fmt::format("send Content-Type: application/json, not \"{}\"", cut_utf8(type, 100)));
    }
    return json::parse_object(exchange.request.body, {depth});
}

result<std::optional<memory::IdempotencyClaim>> claim_of(const Exchange& exchange,
                                                         const json::Value& body) {
    const auto key = exchange.request.headers.find("Idempotency-Key");
    if (!key) return std::nullopt;
    if (key->empty() || key->size() > kLongestKey || !is_visible_ascii(*key)) {
        return fail(
            Code::kMalformed, "bad_idempotency_key",
            fmt::format("Idempotency-Key must have 1 to {} visible ASCII characters", kLongestKey));
    }
    const auto condition = exchange.request.headers.find("If-Match").value_or("");
    return memory::IdempotencyClaim{
        exchange.caller.subject, std::string(*key),
        sha256(fmt::format("{}\n{}\n{}\n{}", exchange.request.method, exchange.request.path,
                           condition, json::canonical(body)))};
}

result<std::optional<std::int64_t>> if_match(const net::HttpRequest& request) {
    const auto given = request.headers.find("If-Match");
    if (!given || *given == "*") return std::nullopt;
    std::string_view text = *given;
    if (text.size() > 2 && text.front() == '"' && text.back() == '"')
        text = text.substr(1, text.size() - 2);
    const auto version = whole_number(text);
    if (!version || *version < 1) {
        return fail(Code::kMalformed, "bad_if_match",
                    "If-Match must be a version in quotes as ETag gave it: \"3\"");
    }
    return *version;
}

}  // namespace aeterna::rest
