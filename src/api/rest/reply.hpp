#pragma once
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "json/codec.hpp"
#include "memory/ports.hpp"
#include "net/http.hpp"

/// Answers in the form of contract §2.
namespace aeterna::rest {

[[nodiscard]] net::HttpResponse json_response(int status, const json::Value& body);
/// {"error","message","retryable","requestId"}, with Retry-After, Allow and WWW-Authenticate where
/// they belong.
[[nodiscard]] net::HttpResponse error_response(const Error& error, std::string_view request_id);
/// A committed write: its first status and body, ETag, X-Aeterna-Durability and X-Aeterna-Position.
[[nodiscard]] net::HttpResponse committed_response(const memory::Committed& committed);
[[nodiscard]] std::string etag(std::int64_t version);

}  // namespace aeterna::rest
