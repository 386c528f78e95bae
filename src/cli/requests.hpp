#pragma once
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "cli/parse.hpp"
#include "json/codec.hpp"
#include "net/http.hpp"

namespace aeterna::cli {

/// One request of the API, before it has a connection, a key or a deadline.
struct Call {
    std::string method = "GET";
    std::string target;  ///< "/api/v1/memory/add"
    json::Value body;    ///< null: none
    std::string text;    ///< instead of `body`: JSON lines
    std::vector<net::Header> headers;
    bool keyed = false;      ///< a write that carries an Idempotency-Key
    bool repeatable = true;  ///< may be sent again when its outcome is unknown
};

/// What the command line does not say.
struct Defaults {
    std::string user;
    Timestamp now{};
};

/// The calls behind a command, in order; several only for `memory delete`. Error kMalformed
/// "usage" for texts that are no number, time, id or JSON.
[[nodiscard]] result<std::vector<Call>> calls_for(const Invocation& line, const Defaults& defaults);

/// An RFC 3339 time, a date (midnight UTC), or a span such as 30d, which is added to `now` when
/// `ahead`, else taken from it.
[[nodiscard]] result<std::string> time_text(std::string_view name, const std::string& text,
                                            Timestamp now, bool ahead);

}  // namespace aeterna::cli
