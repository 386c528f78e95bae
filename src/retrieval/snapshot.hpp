#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "retrieval/index.hpp"

namespace aeterna::retrieval {

/// What a reader must know before it trusts a snapshot.
struct SnapshotHead {
    std::uint64_t position = 0;  ///< every commit up to this one is in it; later ones may be
    std::string embedder;        ///< whose vectors it was made for
    std::uint32_t dimensions = 0;
    std::uint64_t documents = 0;  ///< filled by write_snapshot
    bool operator==(const SnapshotHead&) const = default;
};

using ByteSink = std::function<result<void>(std::span<const std::uint8_t>)>;

/// Hands the index to `sink` piece by piece; stops at the first Error from it. A partition is
/// locked for writers while it is copied, not while the sink works. Changes made meanwhile may or
/// may not be in: the caller gives a position that was reached before and replays what came after.
[[nodiscard]] result<void> write_snapshot(const ScopeIndex& index, SnapshotHead head,
                                          const ByteSink& sink);

struct ParsedSnapshot {
    SnapshotHead head;
    std::unique_ptr<ScopeIndex> index;
};
/// kCorrupt for anything but a whole, undamaged snapshot of this format: build the index anew then.
/// Any bytes may be given.
[[nodiscard]] result<ParsedSnapshot> parse_snapshot(std::span<const std::uint8_t> bytes);

}  // namespace aeterna::retrieval
