#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "memory/ports.hpp"
#include "storage/embedded/connection.hpp"
#include "storage/embedded/transaction.hpp"

namespace aeterna::storage {

/// A piece of work for the writer thread. Belongs to the writer from `submit` to `done`.
class WriteJob {
  public:
    explicit WriteJob(Deadline deadline, std::size_t weight = 1)
        : deadline_(deadline), weight_(weight) {}
    virtual ~WriteJob() = default;

    /// Inside a transaction; may run again after that transaction failed. True: keep what was
    /// written. False: undo it, the job has its answer. An Error is the storage's.
    [[nodiscard]] virtual result<bool> apply(WriteTransaction& transaction) = 0;
    /// It is not certain whether the commit happened, but the store reads again. True: the job
    /// found its traces and has its answer.
    [[nodiscard]] virtual bool resolve(WriteTransaction& /*transaction*/) { return false; }
    /// Exactly once, on the writer thread or in `submit`. An Error replaces the job's own answer.
    virtual void done(std::optional<Error> failure) noexcept = 0;

    [[nodiscard]] const Deadline& deadline() const noexcept { return deadline_; }
    [[nodiscard]] std::size_t weight() const noexcept { return weight_; }

  private:
    Deadline deadline_;
    std::size_t weight_;  ///< commands in it
};

/// The one thread that writes, commits and checkpoints. Takes everything queued as one group: one
/// transaction, one fsync. Made with an open, migrated connection; `stop` drains the queue.
class Writer {
  public:
    struct Options {
        std::size_t queue_limit = 1024;       ///< jobs waiting
        std::size_t weight_limit = 16'384;    ///< commands waiting
        std::size_t group_weight = 2'000;     ///< commands in one transaction
        int checkpoint_frames = 1'000;        ///< log pages that are moved when nobody waits
        int busy_frames = 4'000;              ///< log pages that are moved although somebody waits
        int restart_frames = 16'000;          ///< log pages at which readers are waited for
        std::chrono::milliseconds idle{500};  ///< without work for so long: move everything
        const char* vfs = nullptr;
    };
    /// The last outbox row there is.
    [[nodiscard]] static result<std::uint64_t> last_position(Connection& connection);
    /// `read_only`: why nothing can be written; then every job is refused with it.
    Writer(std::unique_ptr<Connection> connection, std::uint64_t position, Options options,
           memory::CommitListener* listener, std::optional<Error> read_only);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// kUnavailable "queue_full" through `done` when too much waits already.
    void submit(std::unique_ptr<WriteJob> job);
    /// Answers what is queued, moves the log into the database and ends the thread. Idempotent.
    void stop();

    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    /// Live memories; empty until they have been counted.
    [[nodiscard]] std::optional<std::uint64_t> live() const;
    [[nodiscard]] std::optional<Error> trouble() const;

  private:
    using Jobs = std::vector<std::unique_ptr<WriteJob>>;
    /// What became of a transaction.
    enum class Fate : std::uint8_t { kCommitted, kFailed, kUncertain };

    void run();
    [[nodiscard]] Jobs take_group();  ///< with the lock held
    void serve(Jobs jobs);
    /// Runs the jobs as one transaction. kFailed: nothing happened, `error` says why.
    [[nodiscard]] Fate commit(Jobs& jobs, std::optional<Error>& error);
    [[nodiscard]] Fate commit_transaction(WriteTransaction& transaction, Jobs& jobs,
                                          std::optional<Error>& error);
    [[nodiscard]] Fate settle(WriteTransaction& transaction, std::optional<Error>& error);
    void answer(Jobs& jobs, const std::optional<Error>& failure);
    void answer_uncertain(Jobs& jobs, const Error& error);
    [[nodiscard]] result<void> reopen();
    void publish(std::uint64_t position, std::span<const memory::MemoryRecord> records);
    void note_trouble(std::optional<Error> trouble);
    /// Moves the log into the database when it is time to.
    void tend_log(bool jobs_wait, bool long_idle);
    void checkpoint(Connection::CheckpointKind kind);
    void count_live();

    std::unique_ptr<Connection> connection_;
    const Options options_;
    const std::filesystem::path file_;
    memory::CommitListener* listener_;
    const std::optional<Error> read_only_;

    std::atomic<std::uint64_t> position_;
    std::atomic<std::int64_t> live_{-1};
    int moved_frames_ = 0;  ///< of the present log, already in the database
    /// A commit that may have happened and that the listener has not heard of.
    struct Unheard {
        std::uint64_t position = 0;
        std::vector<memory::MemoryRecord> records;
    };
    std::optional<Unheard> unheard_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::unique_ptr<WriteJob>> queue_;
    std::size_t queued_weight_ = 0;
    bool stopping_ = false;
    std::optional<Error> trouble_;
    std::thread thread_;
};

}  // namespace aeterna::storage
