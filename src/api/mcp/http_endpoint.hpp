#pragma once
#include "api/mcp/protocol.hpp"
#include "api/rest/rest_api.hpp"

namespace aeterna::mcp {

/// Streamable HTTP at /mcp: POST takes one message (an array of them for 2025-03-26 only) and
/// answers with JSON, or with an event stream when the called tool reports while it runs. There are
/// no sessions and no server stream: GET and DELETE are 405, a session id is ignored.
/// `engine` must outlive the api and be complete before the first request.
void add_mcp_routes(rest::RestApi& api, const Engine& engine);

}  // namespace aeterna::mcp
