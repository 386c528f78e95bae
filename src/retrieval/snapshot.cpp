#include "retrieval/snapshot.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include "base/hash.hpp"

// head section, then one section per partition. A section: length (u64), CRC-32C of the payload
// (u32), payload. All numbers little-endian, arrays without padding.
namespace aeterna::retrieval {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::uint64_t kMagic = 0x3158444945544541;  // "AETEIDX1"
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kMaxName = 4096;

class Writer {
  public:
    template <class T>
    void number(T value) {
        array(std::span<const T>(&value, 1));
    }
    template <class T>
    void array(std::span<const T> values) {
        static_assert(std::is_trivially_copyable_v<T>);
        const auto* raw = reinterpret_cast<const std::uint8_t*>(values.data());
        bytes_.insert(bytes_.end(), raw, raw + values.size_bytes());
    }
    template <class T>
    void array(const std::vector<T>& values) {
        array(std::span<const T>(values));
    }
    void text(const std::string& value) {
        number(static_cast<std::uint32_t>(value.size()));
        array(std::span<const char>(value));
    }
    /// Room to be filled by the caller.
    std::uint8_t* room(std::size_t size) {
        bytes_.resize(bytes_.size() + size);
        return bytes_.data() + bytes_.size() - size;
    }
    void reserve(std::size_t size) { bytes_.reserve(size); }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

  private:
    std::vector<std::uint8_t> bytes_;
};

/// Reads until something is missing; then `ok()` is false for good and all it gives is empty.
class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return ok_ && bytes_.empty(); }

    std::span<const std::uint8_t> raw(std::uint64_t size) {
        if (!ok_ || size > bytes_.size()) {
            ok_ = false;
            return {};
        }
        const auto out = bytes_.first(static_cast<std::size_t>(size));
        bytes_ = bytes_.subspan(static_cast<std::size_t>(size));
        return out;
    }
    template <class T>
    T number() {
        T value{};
        const auto from = raw(sizeof value);
        if (ok_) std::memcpy(&value, from.data(), sizeof value);
        return value;
    }
    /// Allocates only what the bytes at hand can fill.
    template <class T>
    std::vector<T> array(std::uint64_t count) {
        if (count > bytes_.size() / sizeof(T)) ok_ = false;
        const auto from = raw(ok_ ? count * sizeof(T) : 0);
        std::vector<T> out;
        if (!ok_ || from.empty()) return out;
        out.resize(static_cast<std::size_t>(count));
        std::memcpy(out.data(), from.data(), from.size());
        return out;
    }
    std::string text() {
        const auto size = number<std::uint32_t>();
        if (size > kMaxName) ok_ = false;
        const auto from = raw(ok_ ? size : 0);
        return {reinterpret_cast<const char*>(from.data()), from.size()};
    }

  private:
    std::span<const std::uint8_t> bytes_;
    bool ok_ = true;
};

/// The fixed-size part of an entry as it is on disk.
struct StoredEntry {
    std::array<std::uint8_t, 16> id;
    std::int64_t version, created, updated, expires;
    double importance;
    std::uint16_t attributes;
    std::uint8_t layer;
    std::uint8_t live;
    std::uint32_t zero;
};
static_assert(sizeof(StoredEntry) == 64);

tl::unexpected<Error> damaged(std::string_view what) {
    return fail(Code::kCorrupt, "index_snapshot_damaged",
                fmt::format("the index snapshot cannot be used: {}; the index must be built anew "
                            "from the store",
                            what));
}

result<void> send(const Writer& payload, const ByteSink& sink) {
    Writer frame;
    frame.number(std::uint64_t{payload.bytes().size()});
    frame.number(crc32c(payload.bytes()));
    AETERNA_TRY(sink(frame.bytes()));
    return sink(payload.bytes());
}

/// The payload of the next section; empty when it is not whole.
std::span<const std::uint8_t> section(Reader& in) {
    const auto size = in.number<std::uint64_t>();
    const auto crc = in.number<std::uint32_t>();
    const auto payload = in.raw(size);
    return in.ok() && crc32c(payload) == crc ? payload : std::span<const std::uint8_t>();
}

}  // namespace

class SnapshotCodec {
  public:
    static void write(const std::string& key, const Partition& from, Writer& out) {
        out.reserve(from.bytes() + from.bytes() / 8);
        const auto image = from.lexical_.image();
        out.text(key);
        out.number(std::uint64_t{from.entries_.size()});
        out.number(std::uint64_t{from.documents()});
        for (const Partition::Entry& entry : from.entries_) {
            StoredEntry stored{};
            if (entry.live) {
                stored = {entry.id.bytes,
                          entry.version,
                          entry.created,
                          entry.updated,
                          entry.expires,
                          entry.importance,
                          entry.attribute_count,
                          entry.layer,
                          1,
                          0};
            }
            out.number(stored);
        }
        out.number(std::uint64_t{from.attributes_.size() - from.dead_attributes_});
        for (const Partition::Entry& entry : from.entries_) {
            if (entry.live) out.array(from.attributes_of(entry));
        }
        out.array(image.lengths);
        out.number(std::uint64_t{image.hashes.size()});
        out.number(std::uint64_t{image.postings.size()});
        out.array(image.hashes);
        out.array(image.counts);
        out.array(image.postings);
        out.number(static_cast<std::uint32_t>(from.vectors_.size()));
        for (const VectorRows& rows : from.vectors_) {
            out.text(rows.embedder());
            out.number(static_cast<std::uint32_t>(rows.dimensions()));
            out.number(rows.size());
            out.array(rows.slots());
            out.array(rows.scales());
            const std::size_t plane = rows.size() * rows.dimensions();
            std::uint8_t* const planes = out.room(2 * plane);
            rows.copy_planes(planes, planes + plane);
        }
    }

    static bool read(Reader& in, std::string& key, Partition& out) {
        key = in.text();
        const auto slots = in.number<std::uint64_t>();
        const auto documents = in.number<std::uint64_t>();
        const auto stored = in.array<StoredEntry>(slots);
        if (!in.ok() || slots == 0 || slots > Partition::kMaxDocuments) return false;
        return read_entries(in, stored, documents, out) && read_terms(in, documents, out) &&
               read_vectors(in, out) && in.at_end();
    }

    static void place(ScopeIndex& index, std::string key, std::shared_ptr<ScopeIndex::Room> room) {
        index.rooms_.emplace(std::move(key), std::move(room));
    }
    static bool has(const ScopeIndex& index, const std::string& key) {
        return index.rooms_.contains(key);
    }
    using Room = ScopeIndex::Room;
    static auto rooms(const ScopeIndex& index) { return index.all_rooms(); }

  private:
    static bool read_entries(Reader& in, const std::vector<StoredEntry>& stored,
                             std::uint64_t documents, Partition& out) {
        out.attributes_ = in.array<std::uint64_t>(in.number<std::uint64_t>());
        if (!in.ok()) return false;
        const auto hash_of = [&](std::uint32_t slot) {
            return std::hash<Uuid>{}(out.entries_[slot].id);
        };
        out.entries_.resize(stored.size());
        out.by_id_.reserve(
            static_cast<std::size_t>(documents < stored.size() ? documents : stored.size()),
            hash_of);
        std::vector<std::int64_t> expiries;
        std::uint64_t live = 0;
        std::uint64_t attributes = 0;
        for (std::uint32_t slot = 0; slot < stored.size(); ++slot) {
            const StoredEntry& from = stored[slot];
            if (from.live == 0) {
                out.free_slots_.push_back(slot);
                continue;
            }
            Partition::Entry& entry = out.entries_[slot];
            entry.id.bytes = from.id;
            entry.version = from.version;
            entry.created = from.created;
            entry.updated = from.updated;
            entry.expires = from.expires;
            entry.importance = from.importance;
            entry.layer = from.layer;
            entry.attributes_at = static_cast<std::uint32_t>(attributes);
            entry.attribute_count = from.attributes;
            attributes += from.attributes;
            if (from.live != 1 || !std::isfinite(from.importance) ||
                attributes > out.attributes_.size() || out.slot_of(entry.id) != ProbeTable::kNone) {
                return false;
            }
            entry.live = true;
            out.by_id_.insert(hash_of(slot), slot, hash_of);
            if (entry.expires != kNever) expiries.push_back(entry.expires);
            ++live;
        }
        std::ranges::sort(expiries);
        out.expiries_ = {expiries.begin(), expiries.end()};
        // Lowest first again, as they would be handed out.
        std::ranges::reverse(out.free_slots_);
        return live == documents && live > 0 && attributes == out.attributes_.size();
    }

    static bool read_terms(Reader& in, std::uint64_t documents, Partition& out) {
        const auto lengths = in.array<std::uint32_t>(out.entries_.size());
        const auto terms = in.number<std::uint64_t>();
        const auto postings = in.number<std::uint64_t>();
        const auto hashes = in.array<std::uint64_t>(terms);
        const auto counts = in.array<std::uint32_t>(terms);
        const auto list = in.array<std::uint32_t>(postings);
        if (!in.ok() || !out.lexical_.restore(hashes, counts, list, lengths, documents)) {
            return false;
        }
        return std::ranges::all_of(out.free_slots_,
                                   [&](std::uint32_t slot) { return out.lexical_.is_free(slot); });
    }

    static bool read_vectors(Reader& in, Partition& out) {
        const auto sets = in.number<std::uint32_t>();
        if (!in.ok() || sets >= Partition::kNoVectors) return false;
        for (std::uint32_t set = 0; set < sets; ++set) {
            auto embedder = in.text();
            const auto dimensions = in.number<std::uint32_t>();
            const auto rows = in.number<std::uint32_t>();
            const auto slots = in.array<std::uint32_t>(rows);
            const auto scales = in.array<float>(rows);
            if (!in.ok() || dimensions == 0 || dimensions > Partition::kMaxDimensions ||
                out.vectors_of(embedder, dimensions) != nullptr) {
                return false;
            }
            const auto high = in.raw(std::uint64_t{rows} * dimensions);
            const auto low = in.raw(std::uint64_t{rows} * dimensions);
            if (!in.ok()) return false;
            for (std::uint32_t row = 0; row < rows; ++row) {
                if (slots[row] >= out.entries_.size() || !std::isfinite(scales[row]) ||
                    scales[row] < 0) {
                    return false;
                }
                Partition::Entry& entry = out.entries_[slots[row]];
                if (!entry.live || entry.vectors != Partition::kNoVectors) return false;
                entry.vectors = static_cast<std::uint8_t>(set);
                entry.row = row;
            }
            out.vectors_.emplace_back(std::move(embedder), dimensions);
            out.vectors_.back().restore(slots, scales, high.data(), low.data());
        }
        return true;
    }
};

result<void> write_snapshot(const ScopeIndex& index, SnapshotHead head, const ByteSink& sink) {
    const auto rooms = SnapshotCodec::rooms(index);
    Writer first;
    first.number(kMagic);
    first.number(kFormat);
    first.number(head.position);
    first.text(head.embedder);
    first.number(head.dimensions);
    AETERNA_TRY(send(first, sink));
    std::uint64_t partitions = 0;
    head.documents = 0;
    for (const auto& [key, room] : rooms) {
        Writer payload;
        {
            const std::shared_lock lock(room->lock);
            if (room->partition.documents() == 0) continue;
            SnapshotCodec::write(key, room->partition, payload);
            head.documents += room->partition.documents();
        }
        ++partitions;
        AETERNA_TRY(send(payload, sink));
    }
    // The counts come last: they show that nothing was cut off.
    Writer last;
    last.number(partitions);
    last.number(head.documents);
    return send(last, sink);
}

result<ParsedSnapshot> parse_snapshot(std::span<const std::uint8_t> bytes) {
    Reader file(bytes);
    Reader first(section(file));
    ParsedSnapshot out;
    if (first.number<std::uint64_t>() != kMagic) return damaged("it has no readable head");
    if (const auto format = first.number<std::uint32_t>(); format != kFormat) {
        return damaged(fmt::format("it has format {}, this program reads {}", format, kFormat));
    }
    out.head.position = first.number<std::uint64_t>();
    out.head.embedder = first.text();
    out.head.dimensions = first.number<std::uint32_t>();
    if (!first.at_end()) return damaged("its head is malformed");

    out.index = std::make_unique<ScopeIndex>();
    for (std::uint64_t partitions = 0;; ++partitions) {
        const auto payload = section(file);
        if (payload.empty()) return damaged("a part is missing or changed");
        Reader part(payload);
        if (file.at_end()) {
            const bool complete = part.number<std::uint64_t>() == partitions &&
                                  part.number<std::uint64_t>() == out.head.documents &&
                                  part.at_end();
            if (!complete) return damaged("parts are missing");
            return out;
        }
        std::string key;
        const auto room = std::make_shared<SnapshotCodec::Room>();
        if (!SnapshotCodec::read(part, key, room->partition) ||
            SnapshotCodec::has(*out.index, key)) {
            return damaged("a part contradicts itself");
        }
        out.head.documents += room->partition.documents();
        SnapshotCodec::place(*out.index, std::move(key), room);
    }
}

}  // namespace aeterna::retrieval
