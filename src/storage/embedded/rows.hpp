#pragma once
#include <string>
#include <string_view>

#include "memory/types.hpp"
#include "storage/embedded/connection.hpp"

/// Memories and sessions as columns.
namespace aeterna::storage {

/// The columns of `memory` and `memory_version`, in the order of `bind_record` and `read_record`.
/// A macro, because statements are literals.
#define AETERNA_RECORD_COLUMNS                                                              \
    "tenant, id, version, layer, owner, created_at, updated_at, expires_at, deleted_at, "   \
    "importance, change, actor, content_hash, checksum, identifiers, embedder, embedding, " \
    "metadata, content"
inline constexpr int kRecordColumns = 19;

/// A record with the texts that its columns need, to be bound while this lives.
class EncodedRecord {
  public:
    explicit EncodedRecord(const memory::MemoryRecord& record);
    void bind(Query& query) const;

  private:
    const memory::MemoryRecord& record_;
    std::string identifiers_, metadata_;
    std::int64_t checksum_;
};

/// kCorrupt when what stands there is not what was written.
[[nodiscard]] result<memory::MemoryRecord> read_record(const Query& row,
                                                       const std::filesystem::path& file);
[[nodiscard]] result<memory::Memory> read_memory(const Query& row,
                                                 const std::filesystem::path& file);

[[nodiscard]] std::string encode(const memory::Identifiers& identifiers);
[[nodiscard]] std::string encode(const boost::json::object& object);
[[nodiscard]] std::optional<memory::Identifiers> decode_identifiers(std::string_view text);
/// Doubles come back bit by bit, which Boost's parser alone does not do.
[[nodiscard]] std::optional<boost::json::object> decode_object(std::string_view text);

/// id, identifiers, metadata, actor, started_at, ended_at
[[nodiscard]] result<memory::Session> read_session(const Query& row,
                                                   const std::filesystem::path& file);

[[nodiscard]] inline std::span<const std::uint8_t> bytes_of(const MemoryId& id) {
    return id.value.bytes;
}

}  // namespace aeterna::storage
