#include "storage/embedded/index_adapter.hpp"

#include <fstream>
#include <iterator>
#include <unordered_map>

#include <fmt/format.h>

#include "base/version.hpp"
#include "observe/log.hpp"
#include "retrieval/snapshot.hpp"
#include "storage/embedded/index_document.hpp"

namespace aeterna::storage {

namespace {

constexpr std::size_t kPage = 1000;
constexpr std::size_t kExamples = 10;

void apply(retrieval::ScopeIndex& index, const memory::MemoryRecord& record) {
    if (record.deleted_at) {
        index.remove(partition_key(record.scope), record.memory.id.value, record.memory.version);
    } else {
        index.put(partition_key(record.scope), to_document(record));
    }
}

Error busy() {
    return Error(Code::kConflict, "index_busy",
                 "the index is being rebuilt already; aeterna status shows how far it is");
}

}  // namespace

EmbeddedIndex::Index EmbeddedIndex::live() const {
    const std::scoped_lock lock(mutex_);
    return live_;
}

void EmbeddedIndex::committed(std::uint64_t position,
                              std::span<const memory::MemoryRecord> records) {
    Index live;
    Index filling;
    {
        const std::scoped_lock lock(mutex_);
        live = live_;
        filling = filling_;
    }
    for (const memory::MemoryRecord& record : records) {
        apply(*live, record);
        if (filling) apply(*filling, record);
    }
    position_.store(position, std::memory_order_release);
}

std::string EmbeddedIndex::snapshot_identity() const {
    // Another version may split words otherwise, so its snapshots are not trusted.
    return fmt::format("{}/{}", embedder_.name, kVersion);
}

bool EmbeddedIndex::load(const std::filesystem::path& file, std::uint64_t position) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return false;
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    auto parsed = retrieval::parse_snapshot(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    if (!parsed) {
        log::warn("index_snapshot_unusable",
                  {{"file", file.string()}, {"why", parsed.error().message}});
        return false;
    }
    if (parsed->head.position != position || parsed->head.embedder != snapshot_identity())
        return false;
    const std::scoped_lock lock(mutex_);
    live_ = std::move(parsed->index);
    position_ = position;
    return true;
}

result<void> EmbeddedIndex::save(const std::filesystem::path& file) const {
    if (rebuilding_)
        return fail(Code::kConflict, "index_busy", "an index that is being filled is not saved");
    const std::filesystem::path fresh = file.string() + ".new";
    std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
    const auto sink = [&](std::span<const std::uint8_t> piece) -> result<void> {
        if (!out.write(reinterpret_cast<const char*>(piece.data()),
                       static_cast<std::streamsize>(piece.size()))) {
            return fail(Code::kStorageFull, fmt::format("{} could not be written", fresh.string()));
        }
        return {};
    };
    auto done = retrieval::write_snapshot(
        *live(),
        {position_, snapshot_identity(), static_cast<std::uint32_t>(embedder_.dimensions), 0},
        sink);
    out.close();
    std::error_code error;
    if (done && out) {
        // No fsync: a torn snapshot fails its checksums and is built anew.
        std::filesystem::rename(fresh, file, error);
        if (!error) return {};
    }
    std::filesystem::remove(fresh, error);
    if (!done) return done;
    return fail(Code::kUnavailable, fmt::format("{} could not be written", file.string()));
}

task<result<void>> EmbeddedIndex::copy_store_into(Index index, Deadline deadline) {
    auto status = co_await store_->status(deadline);
    if (!status) co_return tl::unexpected(std::move(status).error());
    filled_ = 0;
    expected_ = status->memories;
    std::optional<MemoryId> after;
    for (;;) {
        auto page = co_await store_->scan(std::nullopt, after, kPage, deadline);
        if (!page) co_return tl::unexpected(std::move(page).error());
        if (page->empty()) break;
        after = page->back().memory.id;
        const auto& records = *page;
        co_await runtime_.blocking([&] {
            for (const memory::MemoryRecord& record : records) apply(*index, record);
        });
        filled_ += page->size();
    }
    std::uint64_t position = position_.load();
    while (position < status->position &&
           !position_.compare_exchange_weak(position, status->position)) {
    }
    co_return result<void>{};
}

task<result<void>> EmbeddedIndex::fill(Deadline deadline) {
    if (rebuilding_.exchange(true)) co_return fail(busy());
    Index index = live();
    index->remember_removals(true);
    auto done = co_await copy_store_into(index, deadline);
    index->remember_removals(false);
    // A failed fill stays "rebuilding": answers say that they may be incomplete until a rebuild
    // succeeds.
    if (done) rebuilding_ = false;
    co_return done;
}

task<result<memory::Candidates>> EmbeddedIndex::search(memory::IndexQuery query,
                                                       Deadline deadline) {
    const bool degraded = rebuilding_.load();
    const Index index = live();
    auto found = co_await runtime_.blocking([&]() -> result<memory::Candidates> {
        if (deadline.passed())
            return fail(Code::kDeadlineExceeded, "the search did not start in time; try again");
        return to_candidates(index->search(to_query(query)), query.vector.has_value());
    });
    if (found) found->vector_degraded = degraded;
    co_return found;
}

task<result<memory::Candidates>> EmbeddedIndex::search_among(
    std::vector<memory::MemoryRecord> records, memory::IndexQuery query, Deadline deadline) {
    co_return co_await runtime_.blocking([&]() -> result<memory::Candidates> {
        retrieval::ScopeIndex index;
        for (const memory::MemoryRecord& record : records) {
            if (deadline.passed()) {
                return fail(Code::kDeadlineExceeded,
                            fmt::format("{} past memories could not be ranked in time; name fewer "
                                        "layers or allow more "
                                        "time (X-Request-Timeout)",
                                        records.size()));
            }
            index.put(partition_key(record.scope), to_document(record));
        }
        return to_candidates(index.search(to_query(query)), query.vector.has_value());
    });
}

task<result<memory::IndexStatus>> EmbeddedIndex::status(Deadline) {
    const Index index = live();
    memory::IndexStatus out;
    const auto totals = index->totals();
    out.memories = totals.documents;
    out.bytes = totals.bytes;
    out.position = position_.load(std::memory_order_acquire);
    out.without_vector = index->without_vector(embedder_.name, embedder_.dimensions);
    if (rebuilding_) {
        out.state = memory::IndexStatus::State::kRebuilding;
        const auto expected = expected_.load();
        out.progress = expected == 0 ? 0
                                     : std::min(1.0, static_cast<double>(filled_.load()) /
                                                         static_cast<double>(expected));
    }
    co_return out;
}

task<result<memory::IndexStatus>> EmbeddedIndex::rebuild(Deadline deadline) {
    if (rebuilding_.exchange(true)) co_return fail(busy());
    auto fresh = std::make_shared<retrieval::ScopeIndex>();
    fresh->remember_removals(true);
    {
        const std::scoped_lock lock(mutex_);
        filling_ = fresh;
    }
    auto done = co_await copy_store_into(fresh, deadline);
    {
        const std::scoped_lock lock(mutex_);
        if (done) live_ = fresh;
        filling_.reset();
    }
    fresh->remember_removals(false);
    rebuilding_ = false;
    if (!done) co_return tl::unexpected(std::move(done).error());
    co_return co_await status(deadline);
}

task<result<memory::IndexDifferences>> EmbeddedIndex::verify(Deadline deadline) {
    const Index index = live();
    memory::IndexDifferences out;
    enum class Kind : std::uint8_t { kMissing, kStale, kExtra };
    std::unordered_map<Uuid, Kind> before;
    // Commits go on meanwhile, so only what differs in two passes is a difference.
    for (int pass = 0; pass < 2; ++pass) {
        std::unordered_map<Uuid, Kind> differing;
        std::unordered_map<Uuid, std::int64_t> stored;
        std::optional<MemoryId> after;
        for (;;) {
            auto page = co_await store_->scan(std::nullopt, after, kPage, deadline);
            if (!page) co_return tl::unexpected(std::move(page).error());
            if (page->empty()) break;
            after = page->back().memory.id;
            for (const memory::MemoryRecord& record : *page) {
                const Uuid id = record.memory.id.value;
                stored.emplace(id, record.memory.version);
                const auto version = index->version_of(partition_key(record.scope), id);
                if (!version) differing.emplace(id, Kind::kMissing);
                if (version && *version != record.memory.version)
                    differing.emplace(id, Kind::kStale);
            }
        }
        index->for_each([&](const std::string&, const Uuid& id, std::int64_t) {
            if (!stored.contains(id)) differing.emplace(id, Kind::kExtra);
        });
        out.compared = stored.size();
        if (pass == 0) {
            if (differing.empty()) co_return out;
            before = std::move(differing);
            continue;
        }
        for (const auto& [id, kind] : differing) {
            if (!before.contains(id)) continue;
            out.missing += kind == Kind::kMissing ? 1 : 0;
            out.stale += kind == Kind::kStale ? 1 : 0;
            out.extra += kind == Kind::kExtra ? 1 : 0;
            if (out.examples.size() < kExamples) out.examples.push_back(MemoryId{id});
        }
    }
    co_return out;
}

}  // namespace aeterna::storage
