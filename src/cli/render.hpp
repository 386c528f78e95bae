#pragma once
#include <string>

#include "base/result.hpp"
#include "cli/parse.hpp"
#include "cli/table.hpp"
#include "json/codec.hpp"
#include "net/http.hpp"

namespace aeterna::cli {

/// The error behind a status of 400 and above, from the server's error body where there is one.
[[nodiscard]] Error error_of(const net::HttpResponse& response);

/// A successful answer to `line.command` as text for people. Members that are missing (another
/// version of the server) show as nothing.
[[nodiscard]] std::string render(const Invocation& line, const json::Value& body,
                                 const Style& style);

/// "12,345"
[[nodiscard]] std::string grouped(std::uint64_t number);
/// "3.2 MiB"
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);

}  // namespace aeterna::cli
