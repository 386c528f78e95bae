#pragma once
#include <optional>
#include <string>
#include <vector>

#include "json/codec.hpp"
#include "memory/requests.hpp"
#include "memory/types.hpp"

/// The JSON forms of what the Memory Service keeps.
namespace aeterna::memory {

[[nodiscard]] json::Object to_json(const Identifiers& identifiers);  ///< only those given
[[nodiscard]] json::Object to_json(const Memory& memory);
[[nodiscard]] json::Object to_json(const MemoryVersion& version);
[[nodiscard]] json::Object to_json(const Session& session);
/// The error body of the contract, without requestId.
[[nodiscard]] json::Object to_json(const Error& error);

/// One line of an export: the present version with its history, everything but the vector (it is
/// derived).
[[nodiscard]] std::string export_line(const std::vector<MemoryVersion>& versions);
struct ImportLine {
    MemoryRecord present;
    std::vector<MemoryRecord> older;  ///< ascending versions
};
/// The inverse; the tenant comes from the caller, never from the line. Checks what the API would
/// have checked.
[[nodiscard]] result<ImportLine> parse_export_line(std::string_view line, const TenantId& tenant,
                                                   const Limits& limits);

/// SHA-256 of content that is already NFC and trimmed.
[[nodiscard]] Sha256 content_hash(std::string_view normal_content);

}  // namespace aeterna::memory
