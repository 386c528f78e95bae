#pragma once
#include <cstdint>
#include <span>

#include "retrieval/index.hpp"

namespace aeterna::retrieval {

struct SearchedPartition {
    std::uint32_t number = 0;  ///< in Query::partitions
    const Partition* partition = nullptr;
};

/// The pure part of ScopeIndex::search. The partitions must not change meanwhile.
[[nodiscard]] Matches search_partitions(const Query& query,
                                        std::span<const SearchedPartition> partitions);

}  // namespace aeterna::retrieval
