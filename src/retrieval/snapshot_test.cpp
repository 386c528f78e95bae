#include "retrieval/snapshot.hpp"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "base/hash.hpp"

namespace aeterna::retrieval {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes snapshot_of(const ScopeIndex& index, const SnapshotHead& head = {7, "e", 3, 0}) {
    Bytes out;
    const auto done = write_snapshot(index, head, [&](std::span<const std::uint8_t> piece) {
        out.insert(out.end(), piece.begin(), piece.end());
        return result<void>();
    });
    EXPECT_TRUE(done.has_value());
    return out;
}

Document document(std::uint8_t number) {
    std::mt19937 random(number);
    Document out;
    out.id.bytes.fill(number);
    out.version = number + 1;
    out.layer = number % 7;
    out.created = number;
    out.updated = number + 5;
    if (number % 3 == 0) out.expires = 1000 + number;
    out.importance = number / 256.0;
    out.attributes = {number % 4U, 100};
    out.text = "violin";
    for (int i = 0; i < number % 9; ++i) out.text += " w" + std::to_string(random() % 20);
    out.vector = pack(std::vector<float>{1, static_cast<float>(number), -3});
    out.embedder = number % 5 == 0 ? "old" : "e";
    if (number % 11 == 0) out.vector.bytes.clear();
    return out;
}

void fill(ScopeIndex& index) {
    for (std::uint8_t i = 0; i < 200; ++i) index.put(i % 3 == 0 ? "a" : "b", document(i));
    for (std::uint8_t i = 0; i < 200; i += 7) {
        Uuid id;
        id.bytes.fill(i);
        index.remove(i % 3 == 0 ? "a" : "b", id);
    }
}

Query query() {
    Query out;
    out.partitions = {"a", "b"};
    out.text = "violin w3 w4 w11";
    out.vector = pack(std::vector<float>{1, 20, 1});
    out.embedder = "e";
    out.conditions.required = {100};
    out.now = 1050;
    return out;
}

void expect_equal(const Matches& a, const Matches& b) {
    EXPECT_EQ(a.scanned, b.scanned);
    EXPECT_EQ(a.without_vector, b.without_vector);
    ASSERT_EQ(a.items.size(), b.items.size());
    for (std::size_t i = 0; i < a.items.size(); ++i) {
        const Match& x = a.items[i];
        const Match& y = b.items[i];
        EXPECT_EQ(std::tie(x.id, x.version, x.created, x.updated, x.importance, x.layer, x.bm25,
                           x.cosine, x.lexical_rank, x.vector_rank, x.vector, x.terms),
                  std::tie(y.id, y.version, y.created, y.updated, y.importance, y.layer, y.bm25,
                           y.cosine, y.lexical_rank, y.vector_rank, y.vector, y.terms));
    }
}

TEST(Snapshot, ComesBackAsItWas) {
    ScopeIndex index;
    fill(index);
    const Bytes bytes = snapshot_of(index);
    auto parsed = parse_snapshot(bytes);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    EXPECT_EQ(parsed->head, (SnapshotHead{7, "e", 3, index.totals().documents}));
    expect_equal(parsed->index->search(query()), index.search(query()));
    EXPECT_EQ(snapshot_of(*parsed->index), bytes);
    // It lives on like the original.
    for (ScopeIndex* one : {&index, parsed->index.get()}) {
        for (std::uint8_t i = 150; i < 250; ++i) one->put("a", document(i));
        Uuid id;
        id.bytes.fill(8);
        EXPECT_TRUE(one->remove("b", id));
    }
    expect_equal(parsed->index->search(query()), index.search(query()));
}

TEST(Snapshot, AnEmptyIndexIsAValidOne) {
    const auto parsed = parse_snapshot(snapshot_of(ScopeIndex()));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->index->totals().documents, 0U);
}

TEST(Snapshot, AFailingSinkStopsIt) {
    ScopeIndex index;
    fill(index);
    int calls = 0;
    const auto done = write_snapshot(index, {}, [&](std::span<const std::uint8_t>) -> result<void> {
        if (++calls == 3) return fail(Code::kStorageFull, "full");
        return {};
    });
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, Code::kStorageFull);
    EXPECT_EQ(calls, 3);
}

Bytes small_snapshot() {
    ScopeIndex index;
    for (std::uint8_t i = 0; i < 6; ++i) index.put(i < 4 ? "a" : "b", document(i));
    Uuid id;
    id.bytes.fill(1);
    index.remove("a", id);
    return snapshot_of(index);
}

TEST(Snapshot, NoticesEveryFlippedByte) {
    const Bytes good = small_snapshot();
    ASSERT_TRUE(parse_snapshot(good).has_value());
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const std::uint8_t flip : std::initializer_list<std::uint8_t>{0x01, 0x80, 0xff}) {
            Bytes bad = good;
            bad[at] ^= flip;
            const auto parsed = parse_snapshot(bad);
            ASSERT_FALSE(parsed.has_value()) << at;
            EXPECT_EQ(parsed.error().code, Code::kCorrupt);
        }
    }
}

TEST(Snapshot, NoticesEveryTruncationAndAnyExtra) {
    Bytes bytes = small_snapshot();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto parsed = parse_snapshot(std::span(bytes).first(size));
        ASSERT_FALSE(parsed.has_value()) << size;
        EXPECT_EQ(parsed.error().code, Code::kCorrupt);
    }
    bytes.push_back(0);
    EXPECT_FALSE(parse_snapshot(bytes).has_value());
}

/// Damage that the checksums do not show.
TEST(Snapshot, SurvivesContradictions) {
    const Bytes good = small_snapshot();
    std::mt19937 random(5);
    std::size_t refused = 0;
    for (int round = 0; round < 4'000; ++round) {
        Bytes bad = good;
        std::size_t at = 0;
        std::vector<std::pair<std::size_t, std::size_t>> sections;
        while (at < bad.size()) {
            std::uint64_t size = 0;
            std::memcpy(&size, bad.data() + at, sizeof size);
            sections.emplace_back(at, static_cast<std::size_t>(size));
            at += 12 + static_cast<std::size_t>(size);
        }
        const auto [begin, size] = sections[random() % sections.size()];
        for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
            static constexpr std::uint8_t kLiked[] = {0, 1, 0x7f, 0x80, 0xff};
            bad[begin + 12 + random() % size] =
                random() % 2 == 0 ? kLiked[random() % 5] : static_cast<std::uint8_t>(random());
        }
        const std::uint32_t crc = crc32c(std::span(bad).subspan(begin + 12, size));
        std::memcpy(bad.data() + begin + 8, &crc, sizeof crc);
        const auto parsed = parse_snapshot(bad);
        if (!parsed) {
            ++refused;
            continue;
        }
        // What was accepted must be safe to use.
        ScopeIndex& index = *parsed->index;
        (void)index.search(query());
        for (std::uint8_t i = 0; i < 8; ++i) index.put(i < 4 ? "a" : "b", document(i));
        (void)index.search(query());
        std::vector<std::pair<std::string, Uuid>> all;
        index.for_each([&](const std::string& key, const Uuid& id, std::int64_t) {
            all.emplace_back(key, id);
        });
        for (const auto& [key, id] : all) EXPECT_TRUE(index.remove(key, id));
        EXPECT_EQ(index.totals().documents, 0U);
    }
    EXPECT_GT(refused, 200U);
}

TEST(Snapshot, TellsAnotherFormatFromDamage) {
    Bytes bytes = small_snapshot();
    bytes[12 + 8] = 9;
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    const std::uint32_t crc = crc32c(std::span(bytes).subspan(12, static_cast<std::size_t>(size)));
    std::memcpy(bytes.data() + 8, &crc, sizeof crc);
    const auto parsed = parse_snapshot(bytes);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_NE(parsed.error().message.find("format 9"), std::string::npos);
}

}  // namespace
}  // namespace aeterna::retrieval
