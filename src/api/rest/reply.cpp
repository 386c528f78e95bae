#include "api/rest/reply.hpp"

#include <fmt/format.h>

#include "memory/codec.hpp"

namespace aeterna::rest {

net::HttpResponse json_response(int status, const json::Value& body) {
    net::HttpResponse response;
    response.status = status;
    response.headers.set("Content-Type", "application/json");
    response.body = json::write(body);
    return response;
}

net::HttpResponse error_response(const Error& error, std::string_view request_id) {
    json::Object body = memory::to_json(error);
    body["requestId"] = request_id;
    net::HttpResponse response = json_response(traits(error.code).status, body);
    if (error.retryable()) response.headers.set("Retry-After", "1");
    if (error.code == Code::kUnauthenticated)
        response.headers.set("WWW-Authenticate", "Bearer realm=\"aeterna\"");
    if (error.code == Code::kMethodNotAllowed) {
        for (const auto& [name, value] : error.details) {
            if (name == "allow") response.headers.set("Allow", std::get<std::string>(value));
        }
    }
    return response;
}

std::string etag(std::int64_t version) {
    return fmt::format("\"{}\"", version);
}

net::HttpResponse committed_response(const memory::Committed& committed) {
    net::HttpResponse response;
    response.status = committed.reply.status;
    if (!committed.reply.body.empty()) {
        response.headers.set("Content-Type", "application/json");
        response.body = committed.reply.body;
    }
    if (committed.reply.version != 0) response.headers.set("ETag", etag(committed.reply.version));
    response.headers.set("X-Aeterna-Durability", "local");
    response.headers.set("X-Aeterna-Position", std::to_string(committed.position));
    if (committed.replayed) response.headers.set("X-Aeterna-Replayed", "true");
    return response;
}

}  // namespace aeterna::rest
