#include "storage/embedded/rows.hpp"

#include <algorithm>
#include <bit>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/hash.hpp"
#include "json/codec.hpp"

namespace aeterna::storage {

namespace {

using memory::Identifiers;
using memory::MemoryRecord;

constexpr std::array<std::pair<std::string_view, std::string Identifiers::*>, 7> kIdentifiers{{
    {"agentId", &Identifiers::agent_id},
    {"userId", &Identifiers::user_id},
    {"sessionId", &Identifiers::session_id},
    {"projectId", &Identifiers::project_id},
    {"teamId", &Identifiers::team_id},
    {"orgId", &Identifiers::org_id},
    {"companyId", &Identifiers::company_id},
}};

namespace column {
enum : int {
    kTenant,
    kId,
    kVersion,
    kLayer,
    kOwner,
    kCreated,
    kUpdated,
    kExpires,
    kDeleted,
    kImportance,
    kChange,
    kActor,
    kHash,
    kChecksum,
    kIdentifierTexts,
    kEmbedder,
    kEmbedding,
    kMetadata,
    kContent,
};
}  // namespace column
static_assert(column::kContent + 1 == kRecordColumns);

std::span<const std::uint8_t> as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// SQLite notices a damaged structure, not a flipped bit in a value. This does.
class Checksum {
  public:
    Checksum& add(std::string_view text) {
        add(static_cast<std::int64_t>(text.size()));
        crc_ = crc32c(as_bytes(text), crc_);
        return *this;
    }
    Checksum& add(std::span<const std::uint8_t> bytes) {
        crc_ = crc32c(bytes, crc_);
        return *this;
    }
    Checksum& add(std::int64_t number) {
        std::array<std::uint8_t, 8> little{};
        auto rest = static_cast<std::uint64_t>(number);
        for (auto& byte : little) {
            byte = static_cast<std::uint8_t>(rest);
            rest >>= 8U;
        }
        crc_ = crc32c(little, crc_);
        return *this;
    }
    [[nodiscard]] std::int64_t value() const { return crc_; }

  private:
    std::uint32_t crc_ = 0;
};

std::int64_t or_zero(const std::optional<Timestamp>& at) {
    return at ? to_micros(*at) : 0;
}

Error damaged(const std::filesystem::path& file, std::string_view what) {
    return Error(Code::kCorrupt, "store_corrupt",
                 fmt::format("{} does not read back as it was written in {}: save what still reads "
                             "with `aeterna export`, then restore a backup or import that export "
                             "into a new data folder",
                             what, file.string()));
}

struct Checked {
    memory::Memory memory;
    Sha256 hash{};
};

Checksum checksum_of(const memory::Memory& m, std::string_view identifiers,
                     std::string_view metadata, std::span<const std::uint8_t> hash) {
    Checksum sum;
    sum.add(m.id.value.view()).add(m.version).add(static_cast<std::int64_t>(m.layer));
    sum.add(to_micros(m.created_at)).add(to_micros(m.updated_at)).add(or_zero(m.expires_at));
    sum.add(std::bit_cast<std::int64_t>(m.importance)).add(hash);
    sum.add(identifiers).add(metadata).add(m.content);
    return sum;
}

}  // namespace

EncodedRecord::EncodedRecord(const MemoryRecord& record)
    : record_(record),
      identifiers_(encode(record.memory.identifiers)),
      metadata_(encode(record.memory.metadata)),
      checksum_(checksum_of(record.memory, identifiers_, metadata_, record.content_hash).value()) {}

void EncodedRecord::bind(Query& query) const {
    const memory::Memory& m = record_.memory;
    query.bind(record_.scope.tenant.str())
        .bind(m.id.value.view())
        .bind(m.version)
        .bind(static_cast<std::int64_t>(record_.scope.layer))
        .bind(record_.scope.owner)
        .bind(m.created_at)
        .bind(m.updated_at)
        .bind(m.expires_at)
        .bind(record_.deleted_at)
        .bind(m.importance)
        .bind(static_cast<std::int64_t>(record_.change))
        .bind(record_.actor.str())
        .bind(record_.content_hash)
        .bind(checksum_)
        .bind(identifiers_)
        .bind(record_.embedder)
        .bind(record_.embedding.bytes)
        .bind(metadata_)
        .bind(m.content);
}

namespace {

result<Checked> read_checked(const Query& row, const std::filesystem::path& file) {
    Checked out;
    memory::Memory& m = out.memory;
    const auto id = Uuid::from_bytes(row.blob(column::kId));
    const auto layer = row.integer(column::kLayer);
    const auto hash = row.blob(column::kHash);
    if (!id || layer < 0 || layer >= static_cast<std::int64_t>(memory::kLayers.size()) ||
        hash.size() != out.hash.size()) {
        return fail(damaged(file, "a memory"));
    }
    std::ranges::copy(hash, out.hash.begin());
    m.id = {*id};
    m.version = row.integer(column::kVersion);
    m.layer = static_cast<memory::Layer>(layer);
    m.created_at = row.time(column::kCreated);
    m.updated_at = row.time(column::kUpdated);
    m.expires_at = row.optional_time(column::kExpires);
    m.importance = row.real(column::kImportance);
    m.content = row.text(column::kContent);
    const auto identifiers_text = row.text(column::kIdentifierTexts);
    const auto metadata_text = row.text(column::kMetadata);
    if (checksum_of(m, identifiers_text, metadata_text, hash).value() !=
        row.integer(column::kChecksum)) {
        return fail(damaged(file, fmt::format("memory {}", m.id.str())));
    }
    auto identifiers = decode_identifiers(identifiers_text);
    auto metadata = decode_object(metadata_text);
    if (!identifiers || !metadata) return fail(damaged(file, fmt::format("memory {}", m.id.str())));
    m.identifiers = std::move(*identifiers);
    m.metadata = std::move(*metadata);
    return out;
}

}  // namespace

result<memory::Memory> read_memory(const Query& row, const std::filesystem::path& file) {
    auto checked = read_checked(row, file);
    if (!checked) return tl::unexpected(std::move(checked).error());
    return std::move(checked->memory);
}

result<MemoryRecord> read_record(const Query& row, const std::filesystem::path& file) {
    auto checked = read_checked(row, file);
    if (!checked) return tl::unexpected(std::move(checked).error());
    MemoryRecord record;
    record.content_hash = checked->hash;
    record.memory = std::move(checked->memory);
    record.scope = {TenantId(std::string(row.text(column::kTenant))), record.memory.layer,
                    std::string(row.text(column::kOwner))};
    record.actor = Subject(std::string(row.text(column::kActor)));
    record.change = static_cast<memory::ChangeKind>(row.integer(column::kChange));
    record.deleted_at = row.optional_time(column::kDeleted);
    record.embedder = row.text(column::kEmbedder);
    const auto embedding = row.blob(column::kEmbedding);
    record.embedding.bytes.assign(embedding.begin(), embedding.end());
    return record;
}

std::string encode(const Identifiers& identifiers) {
    boost::json::object object;
    for (const auto& [name, member] : kIdentifiers) {
        if (!(identifiers.*member).empty()) object[name] = identifiers.*member;
    }
    return encode(object);
}

std::string encode(const boost::json::object& object) {
    return boost::json::serialize(object);
}

std::optional<Identifiers> decode_identifiers(std::string_view text) {
    const auto object = decode_object(text);
    if (!object) return std::nullopt;
    Identifiers out;
    for (const auto& [name, member] : kIdentifiers) {
        const auto* value = object->if_contains(name);
        if (value == nullptr) continue;
        if (!value->is_string()) return std::nullopt;
        out.*member = std::string_view(value->get_string());
    }
    return out;
}

std::optional<boost::json::object> decode_object(std::string_view text) {
    // Deeper than any setting allows to come in.
    auto object = json::parse_object(text, {200});
    if (!object) return std::nullopt;
    return std::move(*object);
}

result<memory::Session> read_session(const Query& row, const std::filesystem::path& file) {
    memory::Session session;
    session.id = row.text(0);
    auto identifiers = decode_identifiers(row.text(1));
    auto metadata = decode_object(row.text(2));
    if (!identifiers || !metadata)
        return fail(damaged(file, fmt::format("session {}", session.id)));
    session.identifiers = std::move(*identifiers);
    session.metadata = std::move(*metadata);
    session.actor = Subject(std::string(row.text(3)));
    session.started_at = row.time(4);
    session.ended_at = row.optional_time(5);
    return session;
}

}  // namespace aeterna::storage
