#include "api/rest/gate.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::rest {

namespace {

/// "host", "host:port", "[v6]:port" → the host, without brackets, lower case.
std::string host_without_port(std::string_view authority) {
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        return to_lower_ascii(end == std::string_view::npos ? authority
                                                            : authority.substr(1, end - 1));
    }
    return to_lower_ascii(authority.substr(0, authority.find(':')));
}

bool names_loopback(std::string_view host) {
    return host == "localhost" || net::Endpoint{std::string(host), 0}.loopback();
}

}  // namespace

std::string media_type(std::string_view content_type) {
    return to_lower_ascii(trim(content_type.substr(0, content_type.find(';'))));
}

result<void> Gate::check_loopback_rule(const net::HttpRequest& request) const {
    if (!options_.open_on_loopback || !request.peer.loopback()) {
        return fail(Code::kUnauthenticated, "token_required",
                    "send a token: Authorization: Bearer aet_…; make one with: aeterna key create");
    }
    const auto host = request.headers.find("Host");
    const std::string name = host ? host_without_port(*host) : std::string();
    if (!names_loopback(name) &&
        std::ranges::find(options_.allowed_hosts, name) == options_.allowed_hosts.end()) {
        return fail(
            Code::kForbidden, "unknown_host",
            fmt::format(
                "the Host \"{}\" is not one this server answers to without a token (setting "
                "http.allowed_hosts)",
                cut_utf8(name, 100)));
    }
    if (const auto origin = request.headers.find("Origin")) {
        const std::size_t scheme = origin->find("://");
        const std::string origin_host = scheme == std::string_view::npos
                                            ? std::string()
                                            : host_without_port(origin->substr(scheme + 3));
        const bool allowed =
            names_loopback(origin_host) ||
            std::ranges::find(options_.allowed_origins, *origin) != options_.allowed_origins.end();
        if (!allowed) {
            return fail(
                Code::kForbidden, "origin_not_allowed",
                fmt::format(
                    "pages of \"{}\" may not call this server (setting http.allowed_origins)",
                    cut_utf8(*origin, 100)));
        }
    }
    if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
        const std::string type = media_type(request.headers.find("Content-Type").value_or(""));
        if (type != "application/json" && type != "application/x-ndjson") {
            return fail(Code::kUnsupportedMedia, "content_type",
                        fmt::format("send Content-Type: application/json, not \"{}\"",
                                    cut_utf8(type, 100)));
        }
    }
    return {};
}

task<result<security::Principal>> Gate::admit(const net::HttpRequest& request,
                                              Deadline deadline) const {
    const auto authorization = request.headers.find("Authorization");
    if (!authorization) {
        AETERNA_CO_TRY(check_loopback_rule(request));
        co_return security::loopback_principal();
    }
    const std::size_t space = authorization->find(' ');
    if (space == std::string_view::npos ||
        !equals_ignoring_case(authorization->substr(0, space), "Bearer")) {
        co_return fail(Code::kUnauthenticated, "bad_token",
                       "the Authorization header must be: Bearer <token>");
    }
    co_return co_await security::authenticate(
        keys_, std::string(trim(authorization->substr(space + 1))), clock_.now(), deadline);
}

}  // namespace aeterna::rest
