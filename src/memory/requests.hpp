#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/json/object.hpp>

#include "json/codec.hpp"
#include "memory/types.hpp"

/// What callers may ask of the Memory Service, and how it is read from JSON. REST and MCP share
/// these.
namespace aeterna::memory {

struct Limits {
    std::size_t content_bytes = 64 * 1024;
    std::size_t query_bytes = 8 * 1024;
    std::size_t identifier_characters = 100;
    std::size_t metadata_bytes = 16 * 1024;
    std::size_t batch_operations = 1000;
};

struct AddRequest {
    std::string content;
    Layer layer = Layer::kUser;
    Identifiers identifiers;
    boost::json::object metadata;
    std::optional<double> importance;
    std::optional<Timestamp> expires_at;
};

struct UpdateRequest {
    MemoryId id;
    std::optional<std::string> content;
    std::optional<boost::json::object> metadata;  ///< merged; a null member removes
    std::optional<double> importance;
    std::optional<std::optional<Timestamp>> expires_at;  ///< inner empty: never expires
    std::optional<std::int64_t> if_version;
};

struct DeleteRequest {
    MemoryId id;
    std::optional<std::int64_t> if_version;
};

struct FeedbackRequest {
    MemoryId id;
    std::string reward_type;
    double score = 0;
    std::optional<std::int64_t> if_version;
};

struct PromoteRequest {
    MemoryId id;
    Layer target = Layer::kCompany;
    Identifiers identifiers;  ///< over those of the memory
};

using BatchOperation = std::variant<AddRequest, UpdateRequest, DeleteRequest>;
/// An operation that could not be read keeps its place, so that the others still run.
using BatchItem = result<BatchOperation>;

struct SearchRequest {
    std::string query;
    std::vector<Layer> layers;  ///< empty: every layer whose identifiers are given
    Identifiers identifiers;
    std::size_t limit = 10;
    double threshold = 0;
    Filters filters;
    bool explain = false;
    std::optional<Timestamp> as_of;
};

struct ListRequest {
    Layer layer = Layer::kUser;
    Identifiers identifiers;
    Filters filters;
    std::size_t limit = 50;
    std::optional<MemoryId> after;
};

struct StartSessionRequest {
    std::string id;  ///< empty: one is made
    Identifiers identifiers;
    boost::json::object metadata;
};

struct EndSessionRequest {
    std::string id;
    std::optional<Layer> promote_to;  ///< absent: nothing is promoted
    Identifiers identifiers;          ///< of the target, over those of the session
    double min_importance = 0;
};

[[nodiscard]] result<AddRequest> read_add(const json::Object& body, const Limits& limits);
[[nodiscard]] result<UpdateRequest> read_update(MemoryId id, const json::Object& body,
                                                const Limits& limits);
/// With `id` absent it is read from the member memoryId.
[[nodiscard]] result<FeedbackRequest> read_feedback(std::optional<MemoryId> id,
                                                    const json::Object& body);
[[nodiscard]] result<PromoteRequest> read_promote(std::optional<MemoryId> id,
                                                  const json::Object& body, const Limits& limits);
[[nodiscard]] result<std::vector<BatchItem>> read_batch(const json::Object& body,
                                                        const Limits& limits);
[[nodiscard]] result<SearchRequest> read_search(const json::Object& body, const Limits& limits);
[[nodiscard]] result<ListRequest> read_list(const json::Object& body, const Limits& limits);
[[nodiscard]] result<StartSessionRequest> read_start_session(const json::Object& body,
                                                             const Limits& limits);
[[nodiscard]] result<EndSessionRequest> read_end_session(std::string id, const json::Object& body,
                                                         const Limits& limits);

/// The opaque cursor of a list.
[[nodiscard]] std::string encode_cursor(MemoryId after);
[[nodiscard]] result<MemoryId> decode_cursor(std::string_view cursor);

}  // namespace aeterna::memory
