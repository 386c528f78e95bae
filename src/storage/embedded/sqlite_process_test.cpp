#include <csignal>
#include <latch>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "storage/contract/harness.hpp"
#include "storage/embedded/connection.hpp"
#include "storage/embedded/temporary_store.hpp"

namespace aeterna::storage {

namespace {

using contract::at;
using contract::put;
using contract::record;
using contract::soon;
using contract::unit_of;

/// A child made by fork while this process has but one thread.
class Child {
  public:
    explicit Child(const std::function<void(int pipe)>& life) {
        std::array<int, 2> ends{};
        if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe failed");
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            life(ends[1]);
            ::_exit(0);
        }
        ::close(ends[1]);
        read_end_ = ends[0];
    }
    ~Child() {
        kill();
        ::close(read_end_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// Adds what the child has written to `heard`; false at its end.
    bool hear() {
        std::array<char, 4096> chunk{};
        const ssize_t size = ::read(read_end_, chunk.data(), chunk.size());
        if (size <= 0) return false;
        heard.append(chunk.data(), static_cast<std::size_t>(size));
        return true;
    }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    std::string heard;

  private:
    pid_t pid_ = 0;
    int read_end_ = -1;
};

void say(int pipe, const std::string& text) {
    std::ignore = ::write(pipe, text.data(), text.size());
}

TEST(SqliteProcess, ASecondOneIsToldOfTheFirst) {
    const TemporaryFolder folder;
    EXPECT_FALSE(read_lock_owner(folder.path()).has_value());
    Child child([&](int pipe) {
        Runtime runtime({.loops = 1, .blocking = 1});
        auto store = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
        if (!store) return;
        (*store)->announce("http://127.0.0.1:8080");
        say(pipe, "open");
        ::pause();
    });
    ASSERT_TRUE(child.hear());
    const auto owner = read_lock_owner(folder.path());
    ASSERT_TRUE(owner.has_value());
    EXPECT_EQ(owner->pid, child.pid());
    EXPECT_EQ(owner->url, "http://127.0.0.1:8080");
    EXPECT_GT(owner->since, at(-400'000'000));
    {
        Runtime runtime({.loops = 1, .blocking = 1});
        const auto second = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code, Code::kConflict);
        EXPECT_EQ(second.error().reason, "data_folder_in_use");
        EXPECT_THAT(second.error().message,
                    testing::AllOf(testing::HasSubstr(std::to_string(child.pid())),
                                   testing::HasSubstr("http://127.0.0.1:8080"),
                                   testing::HasSubstr(to_rfc3339(owner->since))));
    }
    child.kill();
    EXPECT_FALSE(read_lock_owner(folder.path()).has_value()) << "the lock goes with the process";
    Runtime runtime({.loops = 1, .blocking = 1});
    EXPECT_TRUE(SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr).has_value());
}

task<result<void>> write_until_killed(SqliteStore& store, int round, int writer, int pipe) {
    for (int i = 0;; ++i) {
        const auto one = record("t", "ann", fmt::format("{}-{}-{}", round, writer, i), at(0));
        auto work = unit_of("t", at(0), put(one));
        work.claim = contract::claim(one.memory.content, "body");
        const auto done = co_await store.execute(std::move(work), soon());
        if (done) say(pipe, one.memory.id.str() + "\n");
    }
}

TEST(SqliteProcess, KillNineLosesAndDoublesNothingAcknowledged) {
    constexpr int kRounds = 5;
    constexpr int kWriters = 8;
    const TemporaryFolder folder;
    std::set<std::string> acknowledged;
    for (int round = 0; round < kRounds; ++round) {
        Child child([&](int pipe) {
            Runtime runtime({.loops = 2, .blocking = 2});
            auto store = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
            if (!store) return;
            std::vector<std::future<result<void>>> writers;
            for (int w = 0; w < kWriters; ++w) {
                writers.push_back(
                    contract::start(runtime, write_until_killed(**store, round, w, pipe)));
            }
            ::pause();
        });
        const std::size_t enough = static_cast<std::size_t>(100 + 37 * round) * 37;
        while (child.heard.size() < enough) ASSERT_TRUE(child.hear()) << "the child ended";
        child.kill();
        while (child.hear()) {
        }
        std::istringstream lines(child.heard);
        for (std::string id; std::getline(lines, id);) acknowledged.insert(id);

        Runtime runtime({.loops = 1, .blocking = 2});
        auto store = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
        ASSERT_TRUE(store.has_value()) << store.error().message;
        const auto all =
            contract::wait(runtime, (*store)->scan(std::nullopt, std::nullopt, 1'000'000, soon()));
        ASSERT_TRUE(all.has_value());
        std::set<std::string> ids, contents;
        for (const auto& one : *all) {
            ids.insert(one.memory.id.str());
            contents.insert(one.memory.content);
        }
        EXPECT_EQ(ids.size(), all->size());
        EXPECT_EQ(contents.size(), all->size()) << "doubled";
        std::vector<std::string> lost;
        std::ranges::set_difference(acknowledged, ids, std::back_inserter(lost));
        EXPECT_THAT(lost, testing::IsEmpty());
        // What is there but was not heard of is still known by its key.
        auto again = unit_of("t", at(0), put(all->back()));
        again.claim = contract::claim(all->back().memory.content, "body");
        const auto replay = contract::wait(runtime, (*store)->execute(std::move(again), soon()));
        ASSERT_TRUE(replay.has_value());
        EXPECT_TRUE(replay->replayed);
    }
    EXPECT_GE(acknowledged.size(), 500U);
}

TEST(SqliteProcess, NobodyElseMayReadTheFiles) {
    const TemporaryFolder folder;
    Runtime runtime({.loops = 1, .blocking = 1});
    const auto dir = folder.path() / "deep" / "data";
    const auto store = SqliteStore::open({.data_dir = dir}, runtime, nullptr);
    ASSERT_TRUE(store.has_value());
    const auto mode = [](const std::filesystem::path& path) {
        struct stat info = {};
        EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
        return info.st_mode & 0777U;
    };
    EXPECT_EQ(mode(dir), 0700U);
    for (const char* name : {"aeterna.db", "aeterna.db-wal", "aeterna.db-shm", "aeterna.lock"}) {
        EXPECT_EQ(mode(dir / name), 0600U) << name;
    }
}

TEST(SqliteProcess, ACleanCloseLeavesOneFileWithEverything) {
    const TemporaryFolder folder;
    Runtime runtime({.loops = 1, .blocking = 1});
    auto store = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
    ASSERT_TRUE(store.has_value());
    const auto one = record("t", "ann", "one", at(0));
    ASSERT_TRUE(contract::wait(runtime, (*store)->execute(unit_of("t", at(0), put(one)), soon())));
    (*store)->close();
    EXPECT_FALSE(std::filesystem::exists((*store)->file().string() + "-wal"));
    EXPECT_FALSE(read_lock_owner(folder.path()).has_value());
}

TEST(SqliteProcess, TheLogIsMovedBeforeItGrows) {
    const TemporaryFolder folder;
    Runtime runtime({.loops = 1, .blocking = 1});
    auto store = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
    ASSERT_TRUE(store.has_value());
    std::uintmax_t largest = 0;
    for (int i = 0; i < 300; ++i) {
        const auto one = record("t", "ann", fmt::format("{:060000}", i), at(0));
        ASSERT_TRUE(
            contract::wait(runtime, (*store)->execute(unit_of("t", at(0), put(one)), soon())));
        largest = std::max(largest, std::filesystem::file_size((*store)->file().string() + "-wal"));
    }
    EXPECT_LT(largest, 8'000'000U) << "of 20 MB that went through it";
}

TEST(SqliteProcess, OtherSchemasAreLeftAlone) {
    const TemporaryFolder folder;
    Runtime runtime({.loops = 1, .blocking = 1});
    const auto file = folder.path() / "aeterna.db";
    const auto refusal = [&](const char* sql) {
        {
            auto raw = Connection::open(file, Connection::Mode::kWriter, nullptr);
            EXPECT_TRUE((*raw)->run(sql).has_value());
        }
        auto opened = SqliteStore::open({.data_dir = folder.path()}, runtime, nullptr);
        return opened ? std::string("opened") : opened.error().reason;
    };
    EXPECT_EQ(refusal("CREATE TABLE theirs (a)"), "foreign_database");
    EXPECT_EQ(refusal("DROP TABLE theirs"), "opened");
    EXPECT_EQ(refusal("PRAGMA user_version = 1000"), "newer_schema");
}

// ----------------------------------------------------------------------------------------------
// the queue

/// Keeps the writer thread busy until it is let go.
class Gate final : public memory::CommitListener {
  public:
    void committed(std::uint64_t, std::span<const memory::MemoryRecord>) override {
        entered.count_down();
        open.wait();
    }
    std::latch entered{1}, open{1};
};

TEST(SqliteQueue, IsBoundedAndDropsWhatIsTooLate) {
    const TemporaryFolder folder;
    Runtime runtime({.loops = 1, .blocking = 1});
    Gate gate;
    auto opened = SqliteStore::open({.data_dir = folder.path(), .queue_limit = 3}, runtime, &gate);
    ASSERT_TRUE(opened.has_value());
    auto& store = **opened;
    const auto add = [&](const char* content, Deadline deadline) {
        return contract::start(
            runtime,
            store.execute(unit_of("t", at(0), put(record("t", "ann", content, at(0)))), deadline));
    };
    auto first = add("first", soon());
    gate.entered.wait();
    const auto brief = Deadline::after(std::chrono::milliseconds(20));
    auto late = add("late", brief);
    auto second = add("second", soon());
    auto third = add("third", soon());
    auto fourth = add("fourth", soon());
    const auto refused = fourth.get();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kUnavailable);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("the writer queue is full"));
    while (!brief.passed()) std::this_thread::yield();
    gate.open.count_down();
    EXPECT_TRUE(first.get().has_value());
    EXPECT_EQ(late.get().error().code, Code::kDeadlineExceeded);
    EXPECT_TRUE(second.get().has_value());
    EXPECT_TRUE(third.get().has_value());
    EXPECT_EQ(contract::wait(runtime, store.status(soon()))->memories, 3U);
}

TEST(SqliteQueue, CloseAnswersEverythingThatWaits) {
    const TemporaryFolder folder;
    Runtime runtime({.loops = 1, .blocking = 1});
    Gate gate;
    auto opened = SqliteStore::open({.data_dir = folder.path()}, runtime, &gate);
    ASSERT_TRUE(opened.has_value());
    std::vector<std::future<result<memory::Committed>>> calls;
    for (int i = 0; i < 20; ++i) {
        calls.push_back(contract::start(
            runtime,
            (*opened)->execute(
                unit_of("t", at(0), put(record("t", "ann", std::to_string(i), at(0)))), soon())));
    }
    gate.entered.wait();
    gate.open.count_down();
    // All are in the queue before the last of the loop's handlers has run.
    std::promise<void> handled;
    asio::post(runtime.loop(0), [&] { handled.set_value(); });
    handled.get_future().wait();
    (*opened)->close();
    for (auto& call : calls) EXPECT_TRUE(call.get().has_value());
}

TEST(SqliteErrors, SayWhatItMeansForTheCaller) {
    struct Row {
        int code, native;
        Code wanted;
        const char* reason;
    };
    const Row rows[] = {
        {13, 0, Code::kStorageFull, "storage_full"},                  // FULL
        {10 | (3 << 8), ENOSPC, Code::kStorageFull, "storage_full"},  // IOERR_WRITE
        {10 | (3 << 8), EIO, Code::kUnavailable, "storage_failed"},
        {10 | (4 << 8), ENOSPC, Code::kUnavailable, "storage_failed"},  // IOERR_FSYNC: not certain
        {8, 0, Code::kUnavailable, "read_only"},                        // READONLY
        {14, 0, Code::kUnavailable, "cannot_open"},                     // CANTOPEN
        {14, ENOSPC, Code::kStorageFull, "storage_full"},
        {11, 0, Code::kCorrupt, "store_corrupt"},  // CORRUPT
        {26, 0, Code::kCorrupt, "store_corrupt"},  // NOTADB
        {9, 0, Code::kDeadlineExceeded, ""},       // INTERRUPT
        {5, 0, Code::kUnavailable, "store_busy"},  // BUSY
        {7, 0, Code::kUnavailable, "out_of_memory"},
        {19 | (8 << 8), 0, Code::kConflict, "constraint"},  // CONSTRAINT_UNIQUE
        {1, 0, Code::kInternal, ""},
    };
    for (const Row& row : rows) {
        const auto error = translate(row.code, row.native, "detail", "/data/aeterna.db");
        EXPECT_EQ(error.code, row.wanted) << row.code;
        EXPECT_EQ(error.reason, row.reason) << row.code;
    }
}

}  // namespace

}  // namespace aeterna::storage
