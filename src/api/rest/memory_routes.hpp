#pragma once
#include "api/rest/rest_api.hpp"
#include "memory/memory_service.hpp"

namespace aeterna::rest {

/// The Memory Service's routes of contract §4, under /api/v1/memory, /api/v1/memories and
/// /api/v1/sessions.
void add_memory_routes(RestApi& api, memory::MemoryService& service);

/// GET /api/v1/export (JSONL, streamed) and POST /api/v1/import.
void add_transfer_routes(RestApi& api, memory::MemoryService& service);

[[nodiscard]] json::Object to_json(const memory::SearchAnswer& answer, bool explain);

}  // namespace aeterna::rest
