#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "retrieval/embedding.hpp"
#include "retrieval/lexical.hpp"
#include "retrieval/probe_table.hpp"
#include "retrieval/vector_rows.hpp"

namespace aeterna::retrieval {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// What is indexed of a memory. Times are microseconds since 1970.
struct Document {
    Uuid id;
    std::int64_t version = 1;
    std::uint8_t layer = 0;  ///< lower wins ties
    std::int64_t created = 0;
    std::int64_t updated = 0;
    std::int64_t expires = kNever;
    double importance = 0.5;
    std::vector<std::uint64_t> attributes;  ///< hashes a query may ask for
    std::string text;
    PackedVector vector;   ///< empty or malformed: lexical search only
    std::string embedder;  ///< who made it; vectors of two embedders are never compared
};

/// All given parts must hold.
struct Conditions {
    std::vector<std::uint64_t> required;  ///< every one of these attributes
    std::vector<std::uint64_t> any_of;    ///< at least one, unless empty
    std::int64_t created_from = std::numeric_limits<std::int64_t>::min();  ///< inclusive
    std::int64_t created_until = kNever;                                   ///< exclusive
    std::int64_t updated_from = std::numeric_limits<std::int64_t>::min();
    std::int64_t updated_until = kNever;
    double min_importance = 0;
    [[nodiscard]] bool none() const noexcept;
};

/// The documents of one scope. Not thread-safe; ScopeIndex guards it.
class Partition {
  public:
    struct Entry {
        Uuid id;
        std::int64_t version = 0;
        std::int64_t created = 0;
        std::int64_t updated = 0;
        std::int64_t expires = kNever;
        double importance = 0;
        std::uint32_t attributes_at = 0;
        std::uint32_t row = 0;
        std::uint16_t attribute_count = 0;
        std::uint8_t layer = 0;
        std::uint8_t vectors = kNoVectors;  ///< index into vectors()
        bool live = false;
    };
    static constexpr std::uint8_t kNoVectors = 0xff;
    static constexpr std::uint32_t kMaxDocuments = LexicalIndex::kMaxSlots - 2;
    static constexpr std::size_t kMaxDimensions = 1U << 14;  ///< longer vectors are not indexed
    static constexpr std::size_t kMaxAttributes = 1024;      ///< further ones are not indexed

    /// False when it is not newer than what is there, or when the partition is full.
    bool put(const Document& document, const AnalysedText& text);
    /// False when it is absent.
    bool remove(const Uuid& id);
    [[nodiscard]] const Entry* find(const Uuid& id) const;

    [[nodiscard]] std::size_t documents() const noexcept { return lexical_.documents(); }
    [[nodiscard]] const LexicalIndex& lexical() const noexcept { return lexical_; }
    /// By slot; look at `live`.
    [[nodiscard]] std::span<const Entry> entries() const noexcept { return entries_; }
    [[nodiscard]] std::span<const VectorRows> vectors() const noexcept { return vectors_; }
    [[nodiscard]] const VectorRows* vectors_of(const std::string& embedder,
                                               std::size_t dimensions) const;
    [[nodiscard]] std::span<const std::uint64_t> attributes_of(const Entry& entry) const {
        return std::span(attributes_).subspan(entry.attributes_at, entry.attribute_count);
    }
    /// Fills passes[slot] with 1 for a live, unexpired document that meets the conditions, and
    /// returns how many. Leaves `passes` empty when all live documents do.
    std::size_t filter(const Conditions& conditions, std::int64_t now,
                       std::vector<std::uint8_t>& passes) const;
    [[nodiscard]] std::size_t bytes() const noexcept;

  private:
    friend class SnapshotCodec;

    [[nodiscard]] std::uint32_t slot_of(const Uuid& id) const;
    [[nodiscard]] bool meets(const Entry& entry, const Conditions& conditions) const;
    void take_out(std::uint32_t slot);
    void put_attributes(Entry& entry, const std::vector<std::uint64_t>& attributes);
    void put_vector(std::uint32_t slot, const PackedVector& vector, const std::string& embedder);

    LexicalIndex lexical_;
    ProbeTable by_id_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> free_slots_;
    std::vector<std::uint64_t> attributes_;  // pool; entries point into it
    std::size_t dead_attributes_ = 0;
    std::vector<VectorRows> vectors_;
    std::multiset<std::int64_t> expiries_;
};

}  // namespace aeterna::retrieval
