#pragma once
#include <memory>
#include <string>

#include "api/mcp/protocol.hpp"
#include "base/error.hpp"
#include "memory/memory_service.hpp"

namespace aeterna::mcp {

/// Registers memory_add, memory_search, memory_get, memory_update, memory_delete, memory_feedback
/// and memory_promote: the Memory Service with the readers, rules and errors of REST. A refusal of
/// the service is a result with isError whose structuredContent is the contract's error body.
/// `service` must outlive the engine.
void add_memory_tools(Engine& engine, memory::MemoryService& service);

/// The engine of the product: the memory tools and nothing else.
[[nodiscard]] std::unique_ptr<Engine> make_memory_engine(memory::MemoryService& service);

/// What a model is told about this server when it connects.
[[nodiscard]] std::string memory_instructions();

/// An error of the service as a tool result.
[[nodiscard]] json::Object error_result(const Error& error, std::string_view request_id);

}  // namespace aeterna::mcp
