#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/clock.hpp"
#include "base/hash.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "retrieval/embedding.hpp"

namespace aeterna::memory {

/// Most specific first; on a tie the lower value wins.
enum class Layer : std::uint8_t { kAgent, kUser, kSession, kProject, kTeam, kOrg, kCompany };
inline constexpr std::array kLayers{Layer::kAgent, Layer::kUser, Layer::kSession, Layer::kProject,
                                    Layer::kTeam,  Layer::kOrg,  Layer::kCompany};

[[nodiscard]] std::string_view name_of(Layer layer) noexcept;
[[nodiscard]] std::optional<Layer> layer_named(std::string_view name) noexcept;
/// Share of its score that a memory of this layer loses per day.
[[nodiscard]] double decay_per_day(Layer layer) noexcept;

/// Whose memory it is. Absent means empty; a given one has 1 to 100 characters.
struct Identifiers {
    std::string agent_id, user_id, session_id, project_id, team_id, org_id, company_id;
    bool operator==(const Identifiers&) const = default;
};

/// The place a memory lives in: one layer of one tenant for exactly one owner. Two memories share a
/// scope when the identifiers that their layer needs are equal; further identifiers are kept with
/// the memory but do not divide scopes.
struct Scope {
    TenantId tenant;
    Layer layer = Layer::kUser;
    std::string owner;  ///< canonical text of the needed identifiers; equal text, equal owner
    bool operator==(const Scope&) const = default;
};

/// Error kRuleViolation "missing_identifier" names what the layer needs and was not given.
[[nodiscard]] result<Scope> scope_of(const TenantId& tenant, Layer layer,
                                     const Identifiers& identifiers);
/// Every layer whose identifiers are all given, most specific first.
[[nodiscard]] std::vector<Layer> layers_covered_by(const Identifiers& identifiers);

struct Memory {
    MemoryId id;
    std::string content;
    Layer layer = Layer::kUser;
    Identifiers identifiers;
    boost::json::object metadata;  ///< always has "tags" (array) and "source" (object)
    double importance = 0.5;       ///< 0..1
    std::int64_t version = 1;
    Timestamp created_at{};
    Timestamp updated_at{};
    std::optional<Timestamp> expires_at;
    bool operator==(const Memory&) const = default;
};

/// Which model made a vector; vectors of two identities are never compared.
struct EmbedderIdentity {
    std::string name;  ///< "minilm-static-256@<first 12 hex digits of the table's SHA-256>",
                       ///< "openai:<model>@<host>"
    std::size_t dimensions = 0;
    bool operator==(const EmbedderIdentity&) const = default;
};

enum class ChangeKind : std::uint8_t {
    kAdded,
    kReinforced,
    kUpdated,
    kDeleted,
    kFeedback,
    kPromoted,
    kExpired,
    kImported
};
[[nodiscard]] std::string_view name_of(ChangeKind kind) noexcept;
[[nodiscard]] std::optional<ChangeKind> change_named(std::string_view name) noexcept;

/// A memory as the store keeps it.
struct MemoryRecord {
    Memory memory;
    Scope scope;
    Sha256 content_hash{};                   ///< of the NFC, trimmed content
    Subject actor;                           ///< who made this version
    ChangeKind change = ChangeKind::kAdded;  ///< what made this version
    std::optional<Timestamp> deleted_at;     ///< soft delete; purged later
    retrieval::PackedVector embedding;       ///< empty: not embedded (lexical search only)
    std::string embedder;                    ///< EmbedderIdentity::name of `embedding`
    bool operator==(const MemoryRecord&) const = default;
};

/// One version in a history, oldest first; `valid_to` is absent for the present one.
struct MemoryVersion {
    Memory memory;
    Subject actor;
    ChangeKind change = ChangeKind::kAdded;
    Timestamp valid_from{};
    std::optional<Timestamp> valid_to;
};

struct Session {
    std::string id;  ///< the caller's, or a UUIDv7
    Identifiers identifiers;
    boost::json::object metadata;
    Subject actor;
    Timestamp started_at{};
    std::optional<Timestamp> ended_at;
    bool operator==(const Session&) const = default;
};

/// What a caller may narrow a list or a search by. All given parts must hold.
struct Filters {
    std::vector<std::string> tags;      ///< all of them
    std::vector<std::string> any_tags;  ///< at least one
    std::optional<std::string> source_type;
    std::optional<Timestamp> created_after, created_before;  ///< inclusive, exclusive
    std::optional<Timestamp> updated_after, updated_before;
    std::optional<double> min_importance;
    std::vector<std::pair<std::string, boost::json::value>>
        metadata;  ///< top-level members equal to these scalars
    [[nodiscard]] bool empty() const noexcept;
};
[[nodiscard]] bool matches(const Filters& filters, const Memory& memory);

}  // namespace aeterna::memory
