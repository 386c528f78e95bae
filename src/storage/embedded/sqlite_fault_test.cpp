#include <fstream>
#include <sys/mount.h>

#include <gmock/gmock.h>

#include "storage/contract/harness.hpp"
#include "storage/embedded/fault_vfs.hpp"
#include "storage/embedded/temporary_store.hpp"

namespace aeterna::storage {

namespace {

using contract::at;
using contract::claim;
using contract::put;
using contract::record;
using contract::soon;
using contract::unit;
using contract::unit_of;

/// A file system of its own, where a test may mount one.
class SmallDisk {
  public:
    explicit SmallDisk(const char* options)
        : mounted_(::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, options) == 0) {}
    ~SmallDisk() {
        if (mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
    }
    [[nodiscard]] bool mounted() const { return mounted_; }
    [[nodiscard]] const std::filesystem::path& path() const { return folder_.path(); }
    [[nodiscard]] bool make_read_only() const {
        return ::mount("tmpfs", path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0;
    }

  private:
    TemporaryFolder folder_;
    bool mounted_;
};

class SqliteFaults : public ::testing::Test {
  protected:
    ~SqliteFaults() override {
        store_.reset();
        runtime_.stop();
        healthy_fault_vfs();
    }
    result<void> open(const std::filesystem::path& dir) {
        store_.reset();
        auto opened = SqliteStore::open({.data_dir = dir, .vfs = vfs_}, runtime_, &recorder_);
        if (!opened) return tl::unexpected(opened.error());
        store_ = std::move(*opened);
        return {};
    }
    result<memory::Committed> execute(memory::UnitOfWork work) {
        return contract::wait(runtime_, store_->execute(std::move(work), soon()));
    }
    result<std::optional<memory::Memory>> find(MemoryId id) {
        return contract::wait(runtime_,
                              store_->find(TenantId("t"), id, at(1), std::nullopt, soon()));
    }
    memory::StoreStatus status() { return *contract::wait(runtime_, store_->status(soon())); }
    [[nodiscard]] std::filesystem::path data() const { return folder_.path() / "data"; }

    TemporaryFolder folder_;
    Runtime runtime_{{.loops = 1, .blocking = 2}};
    contract::Recorder recorder_;
    std::string vfs_;
    std::unique_ptr<SqliteStore> store_;
};

memory::MemoryRecord large(int number) {
    return record("t", "ann", std::to_string(number) + std::string(60'000, 'x'), at(0));
}

TEST_F(SqliteFaults, AFullDiskRefusesWritesUntilThereIsRoom) {
    vfs_ = healthy_fault_vfs();
    ASSERT_TRUE(open(data()).has_value());
    const auto kept = record("t", "ann", "kept", at(0));
    ASSERT_TRUE(execute(unit_of("t", at(0), put(kept))).has_value());
    faults.no_room = true;
    const auto refused = large(1);
    auto work = unit_of("t", at(0), put(refused));
    work.claim = claim("k", "body");
    const auto done = execute(work);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, Code::kStorageFull) << done.error().message;
    ASSERT_TRUE(status().trouble.has_value());
    EXPECT_EQ(status().trouble->code, Code::kStorageFull);
    EXPECT_EQ(*find(kept.memory.id), kept.memory);
    EXPECT_EQ(*find(refused.memory.id), std::nullopt);
    EXPECT_EQ(recorder_.records().size(), 1U);
    faults.no_room = false;
    const auto again = execute(work);
    ASSERT_TRUE(again.has_value());
    EXPECT_FALSE(again->replayed);
    EXPECT_FALSE(status().trouble.has_value());
    EXPECT_EQ(status().memories, 2U);
}

TEST_F(SqliteFaults, ARealFullDiskLosesNothingItAcknowledged) {
    const SmallDisk disk("size=3m,mode=0700");
    if (!disk.mounted()) GTEST_SKIP() << "mounting needs root: not run here";
    ASSERT_TRUE(open(disk.path() / "data").has_value());
    std::vector<memory::MemoryRecord> acknowledged;
    std::optional<Error> error;
    for (int i = 0; i < 200 && !error; ++i) {
        const auto one = large(i);
        const auto done = execute(unit_of("t", at(0), put(one)));
        if (done) {
            acknowledged.push_back(one);
        } else {
            error = done.error();
        }
    }
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, Code::kStorageFull) << error->message;
    EXPECT_GT(acknowledged.size(), 5U);
    for (const auto& one : acknowledged) EXPECT_EQ(*find(one.memory.id), one.memory);
    ASSERT_EQ(::mount("tmpfs", disk.path().c_str(), "tmpfs", MS_REMOUNT, "size=20m"), 0);
    EXPECT_TRUE(execute(unit_of("t", at(0), put(large(1000)))).has_value());
    EXPECT_FALSE(status().trouble.has_value());
    ASSERT_TRUE(open(disk.path() / "data").has_value());
    EXPECT_EQ(status().memories, acknowledged.size() + 1);
    store_.reset();
}

TEST_F(SqliteFaults, AStoreThatStartsOnAFullDiskIsRead) {
    const SmallDisk disk("size=2m,mode=0700");
    if (!disk.mounted()) GTEST_SKIP() << "mounting needs root: not run here";
    const auto dir = disk.path() / "data";
    ASSERT_TRUE(open(dir).has_value());
    const auto kept = record("t", "ann", "kept", at(0));
    ASSERT_TRUE(execute(unit_of("t", at(0), put(kept))).has_value());
    store_.reset();
    {
        std::ofstream filler(disk.path() / "filler", std::ios::binary);
        while (filler << std::string(4096, 'x') << std::flush) {
        }
    }
    const auto opened = open(dir);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_EQ(*find(kept.memory.id), kept.memory);
    const auto done = execute(unit_of("t", at(0), put(large(1))));
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, Code::kStorageFull) << done.error().message;
    std::filesystem::remove(disk.path() / "filler");
    ASSERT_TRUE(open(dir).has_value());
    EXPECT_TRUE(execute(unit_of("t", at(0), put(large(1)))).has_value());
    store_.reset();
}

TEST_F(SqliteFaults, AFailedFlushIsSettledBeforeItIsAnswered) {
    vfs_ = healthy_fault_vfs();
    ASSERT_TRUE(open(data()).has_value());
    const auto kept = record("t", "ann", "kept", at(0));
    ASSERT_TRUE(execute(unit_of("t", at(0), put(kept))).has_value());
    const auto one = record("t", "ann", "one", at(0));
    auto work = unit_of("t", at(0), put(one));
    work.claim = claim("k", "body");
    faults.failing_syncs = 1;
    const auto done = execute(work);
    // Whatever is said now must stay true after a restart.
    const bool there = find(one.memory.id)->has_value();
    if (done) {
        EXPECT_TRUE(there);
    } else {
        EXPECT_EQ(done.error().code, Code::kUnavailable) << done.error().message;
        EXPECT_FALSE(there);
    }
    EXPECT_EQ(recorder_.records().size(), there ? 2U : 1U);
    EXPECT_FALSE(status().trouble.has_value()) << "the disk works again";
    ASSERT_TRUE(open(data()).has_value());
    EXPECT_EQ(find(one.memory.id)->has_value(), there);
    const auto again = execute(work);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->replayed, there);
    EXPECT_EQ(status().memories, 2U);
}

TEST_F(SqliteFaults, AnUnknownOutcomeIsSaidAndTheKeyFindsOut) {
    vfs_ = healthy_fault_vfs();
    ASSERT_TRUE(open(data()).has_value());
    auto work = unit_of("t", at(0), put(record("t", "ann", "one", at(0))));
    work.claim = claim("k", "body");
    faults.failing_syncs = 1'000'000;
    const auto done = execute(work);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, Code::kOutcomeUnknown) << done.error().message;
    EXPECT_TRUE(status().trouble.has_value());
    const auto during = execute(unit_of("t", at(0), put(record("t", "ann", "two", at(0)))));
    ASSERT_FALSE(during.has_value());
    EXPECT_EQ(during.error().code, Code::kUnavailable) << during.error().message;
    faults.failing_syncs = 0;
    ASSERT_TRUE(execute(work).has_value());
    EXPECT_EQ(status().memories, 1U);
    EXPECT_EQ(recorder_.records().size(), 1U) << "heard once, whichever try it was";
    ASSERT_TRUE(open(data()).has_value());
    EXPECT_TRUE(execute(work)->replayed);
    EXPECT_EQ(status().memories, 1U);
}

TEST_F(SqliteFaults, AReadOnlyFolderIsRead) {
    const SmallDisk disk("size=8m,mode=0700");
    if (!disk.mounted()) GTEST_SKIP() << "mounting needs root: not run here";
    const auto dir = disk.path() / "data";
    ASSERT_TRUE(open(dir).has_value());
    const auto kept = record("t", "ann", "kept", at(0));
    ASSERT_TRUE(execute(unit_of("t", at(0), put(kept))).has_value());
    // As a crash leaves it: the log still holds everything.
    const auto crashed = disk.path() / "crashed";
    std::filesystem::copy(dir, crashed);
    store_.reset();
    ASSERT_TRUE(disk.make_read_only());
    for (const auto& folder : {dir, crashed}) {
        const auto opened = open(folder);
        ASSERT_TRUE(opened.has_value()) << folder << opened.error().message;
        EXPECT_EQ(*find(kept.memory.id), kept.memory);
        EXPECT_EQ(status().memories, 1U);
        ASSERT_TRUE(status().trouble.has_value());
        EXPECT_EQ(status().trouble->reason, "read_only");
        const auto done = execute(unit_of("t", at(0), put(record("t", "ann", "new", at(0)))));
        ASSERT_FALSE(done.has_value());
        EXPECT_EQ(done.error().code, Code::kUnavailable);
        EXPECT_EQ(done.error().reason, "read_only");
    }
    EXPECT_FALSE(open(disk.path() / "new").has_value()) << "nothing to read there";
    store_.reset();
}

// ----------------------------------------------------------------------------------------------
// damage

std::string slurp(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
void spill(const std::filesystem::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

class SqliteDamage : public SqliteFaults {
  protected:
    void SetUp() override {
        ASSERT_TRUE(open(data()).has_value());
        std::vector<memory::Command> commands;
        for (int i = 0; i < 600; ++i) {
            made_.push_back(record("t", "ann", fmt::format("content number {:04}.", i), at(0)));
            commands.push_back(put(made_.back()));
        }
        ASSERT_TRUE(execute(unit("t", at(0), std::move(commands))).has_value());
        file_ = store_->file();
        store_.reset();
        bytes_ = slurp(file_);
        where_ = bytes_.find("content number 0300.");
        ASSERT_NE(where_, std::string::npos);
    }
    std::vector<memory::MemoryRecord> made_;
    std::filesystem::path file_;
    std::string bytes_;
    std::size_t where_ = 0;
};

TEST_F(SqliteDamage, AFlippedBitInATextIsNoticed) {
    bytes_[where_] = 'C';
    spill(file_, bytes_);
    ASSERT_TRUE(open(data()).has_value());
    const auto found = find(made_[300].memory.id);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, Code::kCorrupt);
    EXPECT_THAT(found.error().message, testing::HasSubstr("aeterna export"));
    EXPECT_EQ(*find(made_[299].memory.id), made_[299].memory);
    EXPECT_EQ(*find(made_[301].memory.id), made_[301].memory);
    const auto all =
        contract::wait(runtime_, store_->scan(std::nullopt, std::nullopt, 1000, soon()));
    ASSERT_TRUE(all.has_value()) << all.error().message;
    EXPECT_EQ(all->size(), 599U);
    ASSERT_TRUE(status().trouble.has_value());
    EXPECT_EQ(status().trouble->code, Code::kCorrupt);
}

TEST_F(SqliteDamage, ADamagedPageCostsOnlyItsOwnMemories) {
    constexpr std::size_t kPage = 4096;
    for (std::size_t i = 0; i < 200; ++i) bytes_[where_ / kPage * kPage + i] = '\x5a';
    spill(file_, bytes_);
    ASSERT_TRUE(open(data()).has_value());
    const auto found = find(made_[300].memory.id);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, Code::kCorrupt) << found.error().message;
    EXPECT_THAT(found.error().message, testing::HasSubstr(file_.string()));
    EXPECT_EQ(*find(made_[10].memory.id), made_[10].memory);
    const auto all =
        contract::wait(runtime_, store_->scan(std::nullopt, std::nullopt, 1000, soon()));
    ASSERT_TRUE(all.has_value()) << all.error().message;
    EXPECT_GT(all->size(), 550U);
    EXPECT_LT(all->size(), 600U);
    // A write that meets the page is refused; the one beside it in the group is not.
    auto bad = contract::start(
        runtime_,
        store_->execute(unit_of("t", at(1), put(contract::next(made_[300], at(1)))), soon()));
    auto good = contract::start(
        runtime_,
        store_->execute(unit_of("t", at(1), put(record("t", "ann", "new", at(1)))), soon()));
    const auto refused = bad.get();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kCorrupt) << refused.error().message;
    EXPECT_TRUE(good.get().has_value());
}

TEST_F(SqliteDamage, WhatIsNoDatabaseIsNotOpened) {
    spill(file_, "this is a shopping list, not a database; " + bytes_);
    const auto opened = open(data());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, Code::kCorrupt);
    EXPECT_THAT(opened.error().message, testing::HasSubstr(file_.string()));
    EXPECT_THAT(slurp(file_), testing::StartsWith("this is a shopping list"));
}

}  // namespace

}  // namespace aeterna::storage
