#include "api/rest/router.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::rest {

namespace {

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        path.remove_prefix(path.front() == '/' ? 1 : 0);
        const std::size_t end = std::min(path.find('/'), path.size());
        parts.emplace_back(path.substr(0, end));
        path.remove_prefix(end);
        if (path == "/") {
            parts.emplace_back();
            break;
        }
    }
    return parts;
}

bool is_parameter(std::string_view part) {
    return part.starts_with('{');
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Route route) {
    const auto parameters = [](const Entry& entry) {
        return std::ranges::count_if(entry.parts, is_parameter);
    };
    Entry entry{std::string(method), std::string(pattern), split(pattern), std::move(route)};
    // Literal routes first, so that /memory/add is not the memory whose id is "add".
    const auto at = std::ranges::upper_bound(entries_, parameters(entry), {}, parameters);
    entries_.insert(at, std::move(entry));
}

result<Router::Match> Router::find(std::string_view method, std::string_view path) const {
    const std::vector<std::string> parts = split(path);
    std::string allow;
    // HEAD is GET without a body, which the server leaves out.
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    for (const Entry& entry : entries_) {
        if (entry.parts.size() != parts.size()) continue;
        Match match;
        bool fits = true;
        for (std::size_t i = 0; i < parts.size() && fits; ++i) {
            if (!is_parameter(entry.parts[i])) {
                fits = entry.parts[i] == parts[i];
                continue;
            }
            auto value = net::percent_decode(parts[i]);
            fits = value && !value->empty() && is_valid_utf8(*value) &&
                   value->find('\0') == std::string::npos;
            if (fits) match.parameters.push_back(std::move(*value));
        }
        if (!fits) continue;
        if (entry.method != wanted) {
            allow += allow.empty() ? entry.method : ", " + entry.method;
            continue;
        }
        match.route = &entry.route;
        match.pattern = entry.pattern;
        return match;
    }
    if (!allow.empty()) {
        return fail(
            Error(Code::kMethodNotAllowed,
                  fmt::format("{} is not allowed here; allowed: {}", cut_utf8(method, 20), allow))
                .with("allow", allow));
    }
    return fail(Code::kNotFound, "no_such_route",
                fmt::format("there is nothing at {}; the routes are listed at /api/v1",
                            cut_utf8(path, 200)));
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const Entry& entry : entries_) out.emplace_back(entry.method, entry.pattern);
    std::ranges::sort(out, {},
                      [](const auto& route) { return std::pair(route.second, route.first); });
    return out;
}

}  // namespace aeterna::rest
