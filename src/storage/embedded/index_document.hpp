#pragma once
#include <string>
#include <vector>

#include "memory/ports.hpp"
#include "retrieval/index.hpp"

/// How memories, queries and answers are written in the words of the retrieval core.
namespace aeterna::storage {

/// Equal scopes, equal text.
[[nodiscard]] std::string partition_key(const memory::Scope& scope);
/// The text is the content and the day it was stored, so that "November 2026" finds it.
[[nodiscard]] retrieval::Document to_document(const memory::MemoryRecord& record);
[[nodiscard]] retrieval::Query to_query(const memory::IndexQuery& query);
[[nodiscard]] memory::Candidates to_candidates(retrieval::Matches matches, bool vector_ranking);

}  // namespace aeterna::storage
