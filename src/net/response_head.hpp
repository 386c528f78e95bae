#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace aeterna::net {

struct AnswerFraming {
    bool http11 = true;
    bool keep_alive = true;
    bool chunked = false;  ///< else Content-Length, or until the connection closes
    bool until_close = false;
    std::size_t length = 0;
};

/// Appends status line and headers with their empty line. Headers that would break the framing
/// (ours by right, or with bytes a header cannot have) are left out.
void append_response_head(std::string& out, const HttpResponse& response,
                          const AnswerFraming& framing);

/// The contract's error body, with X-Request-Id. For answers given before any handler: both
/// texts are ours: no control characters.
[[nodiscard]] HttpResponse plain_error(int status, std::string_view error, std::string_view message,
                                       bool retryable);

/// A token, and a value without control characters: nothing that could end the header early.
[[nodiscard]] bool valid_header(std::string_view name, std::string_view value) noexcept;
/// 1xx, 204 and 304 have none.
[[nodiscard]] bool status_has_body(int status) noexcept;

}  // namespace aeterna::net
