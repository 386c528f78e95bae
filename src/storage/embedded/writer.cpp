#include "storage/embedded/writer.hpp"

#include <exception>
#include <utility>

#include <fmt/format.h>

#include "observe/log.hpp"
#include "storage/embedded/schema.hpp"

namespace aeterna::storage {

namespace {

constexpr const char* kPosition = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'";

bool is_trouble(const Error& error) {
    return error.code == Code::kStorageFull || error.code == Code::kUnavailable ||
           error.code == Code::kCorrupt;
}

}  // namespace

result<std::uint64_t> Writer::last_position(Connection& connection) {
    const auto last = connection.number(kPosition);
    if (!last) return tl::unexpected(last.error());
    return static_cast<std::uint64_t>(*last);
}

Writer::Writer(std::unique_ptr<Connection> connection, std::uint64_t position, Options options,
               memory::CommitListener* listener, std::optional<Error> read_only)
    : connection_(std::move(connection)),
      options_(options),
      file_(connection_->file()),
      listener_(listener),
      read_only_(std::move(read_only)),
      position_(position),
      trouble_(read_only_) {
    thread_ = std::thread([this] { run(); });
}

Writer::~Writer() {
    stop();
}

void Writer::submit(std::unique_ptr<WriteJob> job) {
    std::optional<Error> refusal;
    {
        const std::lock_guard lock(mutex_);
        if (read_only_) {
            refusal = read_only_;
        } else if (stopping_) {
            refusal = Error(Code::kUnavailable, "store_closed",
                            "the store is being closed: try again in a moment");
        } else if (queue_.size() >= options_.queue_limit ||
                   queued_weight_ + job->weight() > options_.weight_limit) {
            refusal = Error(Code::kUnavailable, "queue_full",
                            "the writer queue is full: try again in a moment");
        } else {
            queued_weight_ += job->weight();
            queue_.push_back(std::move(job));
        }
    }
    if (refusal) {
        // NOLINTNEXTLINE(bugprone-use-after-move): a refused job was not moved away.
        job->done(std::move(refusal));
    } else {
        wake_.notify_one();
    }
}

void Writer::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

std::optional<std::uint64_t> Writer::live() const {
    const std::int64_t live = live_;
    if (live < 0) return std::nullopt;
    return static_cast<std::uint64_t>(live);
}

std::optional<Error> Writer::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

void Writer::note_trouble(std::optional<Error> trouble) {
    const std::lock_guard lock(mutex_);
    if (trouble && !trouble_) {
        log::error("store_trouble", {{"file", file_.string()}, {"reason", trouble->message}});
    } else if (!trouble && trouble_) {
        log::info("store_recovered", {{"file", file_.string()}});
    }
    trouble_ = std::move(trouble);
}

void Writer::run() {
    count_live();
    bool rested = true;
    std::unique_lock lock(mutex_);
    const auto something = [this] { return stopping_ || !queue_.empty(); };
    while (true) {
        if (rested) {
            wake_.wait(lock, something);
        } else if (!wake_.wait_for(lock, options_.idle, something)) {
            lock.unlock();
            tend_log(false, true);
            lock.lock();
            rested = true;
            continue;
        }
        if (queue_.empty()) break;
        Jobs jobs = take_group();
        lock.unlock();
        serve(std::move(jobs));
        rested = false;
        lock.lock();
        const bool jobs_wait = !queue_.empty();
        lock.unlock();
        tend_log(jobs_wait, false);
        lock.lock();
    }
    lock.unlock();
    if (!read_only_) checkpoint(Connection::CheckpointKind::kTruncate);
    connection_.reset();
}

Writer::Jobs Writer::take_group() {
    Jobs jobs;
    std::size_t weight = 0;
    while (!queue_.empty() &&
           (jobs.empty() || weight + queue_.front()->weight() <= options_.group_weight)) {
        weight += queue_.front()->weight();
        jobs.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    queued_weight_ -= weight;
    return jobs;
}

void Writer::serve(Jobs jobs) {
    std::erase_if(jobs, [](const auto& job) {
        if (!job->deadline().passed()) return false;
        job->done(Error(Code::kDeadlineExceeded,
                        "the time for this write ran out while it waited; nothing happened"));
        return true;
    });
    if (jobs.empty()) return;
    if (!connection_ || unheard_) {
        if (auto reopened = reopen(); !reopened) {
            note_trouble(reopened.error());
            answer(jobs, reopened.error());
            return;
        }
    }
    std::optional<Error> error;
    const Fate fate = commit(jobs, error);
    if (fate == Fate::kFailed && jobs.size() > 1) {
        // One job may be what the disk refuses: a large one when it is full, one that meets a
        // damaged page. The others deserve their own try.
        for (auto& job : jobs) {
            Jobs alone;
            alone.push_back(std::move(job));
            serve(std::move(alone));
        }
        return;
    }
    switch (fate) {
        case Fate::kCommitted:
            answer(jobs, std::nullopt);
            break;
        case Fate::kFailed:
            // Room in the log lets a full disk take small writes again.
            if (error->code == Code::kStorageFull) {
                checkpoint(Connection::CheckpointKind::kPassive);
            }
            answer(jobs, error);
            break;
        case Fate::kUncertain:
            answer_uncertain(jobs, *error);
            break;
    }
}

Writer::Fate Writer::commit(Jobs& jobs, std::optional<Error>& error) {
    const auto give_up = [&](Error why) {
        connection_->roll_back();
        if (is_trouble(why)) note_trouble(why);
        error = std::move(why);
        return Fate::kFailed;
    };
    if (auto begun = connection_->query("BEGIN IMMEDIATE").run(); !begun) {
        return give_up(std::move(begun).error());
    }
    const std::int64_t changes = connection_->total_changes();
    WriteTransaction transaction(*connection_, position_);
    for (auto& job : jobs) {
        transaction.open_job();
        result<bool> kept = false;
        try {
            kept = job->apply(transaction);
        } catch (const std::exception& problem) {
            kept = fail(Code::kInternal, fmt::format("a write threw: {}", problem.what()));
        }
        if (!kept) return give_up(std::move(kept).error());
        auto closed = *kept ? transaction.keep_job() : transaction.undo_job();
        if (!closed) return give_up(std::move(closed).error());
    }
    const bool wrote = connection_->total_changes() != changes;
    auto committed = connection_->query("COMMIT").run();
    if (!committed) {
        // What could not be written is not there. What could not be flushed may be.
        if (!wrote || committed.error().code == Code::kStorageFull) {
            return give_up(std::move(committed).error());
        }
        error = std::move(committed).error();
        return settle(transaction, error);
    }
    if (wrote) note_trouble(std::nullopt);
    if (live_ >= 0) live_ += transaction.grown();
    publish(transaction.position(), transaction.records());
    return Fate::kCommitted;
}

Writer::Fate Writer::settle(WriteTransaction& transaction, std::optional<Error>& error) {
    connection_->roll_back();
    note_trouble(error);
    const std::uint64_t before = position_;
    const bool leaves_traces = transaction.position() != before;
    unheard_ = Unheard{transaction.position(), transaction.records()};
    if (auto reopened = reopen(); !reopened || !leaves_traces) return Fate::kUncertain;
    return position_ == before ? Fate::kFailed : Fate::kCommitted;
}

void Writer::publish(std::uint64_t position, std::span<const memory::MemoryRecord> records) {
    position_ = position;
    if (listener_ != nullptr && !records.empty()) listener_->committed(position, records);
}

void Writer::answer(Jobs& jobs, const std::optional<Error>& failure) {
    for (auto& job : jobs) job->done(failure);
    jobs.clear();
}

void Writer::answer_uncertain(Jobs& jobs, const Error& error) {
    for (auto& job : jobs) {
        bool known = false;
        if (connection_ && !unheard_) {
            WriteTransaction look(*connection_, position_);
            known = job->resolve(look);
        }
        if (known) {
            job->done(std::nullopt);
            continue;
        }
        job->done(Error(Code::kOutcomeUnknown, "outcome_unknown",
                        fmt::format("the disk failed while this was being committed, so it may or "
                                    "may not be stored: repeat it with the same Idempotency-Key, "
                                    "or read before you repeat it ({})",
                                    error.message)));
    }
    jobs.clear();
}

result<void> Writer::reopen() {
    connection_.reset();
    auto opened = Connection::open(file_, Connection::Mode::kWriter, options_.vfs);
    if (!opened) return tl::unexpected(std::move(opened).error());
    // A new commit overwrites what an unflushed one left at the end of the log, and moving the log
    // writes its pages anew: from then on what the tables say is the truth for ever.
    AETERNA_TRY((*opened)->run(kWriterPragmas));
    AETERNA_TRY((*opened)->run("UPDATE probe SET count = count + 1"));
    AETERNA_TRY((*opened)->checkpoint(Connection::CheckpointKind::kRestart));
    const auto last = last_position(**opened);
    if (!last) return tl::unexpected(last.error());
    connection_ = std::move(*opened);
    moved_frames_ = 0;
    const auto unheard = std::exchange(unheard_, std::nullopt);
    if (unheard && *last >= unheard->position) {
        publish(unheard->position, unheard->records);
    }
    count_live();
    note_trouble(std::nullopt);
    return {};
}

void Writer::tend_log(bool jobs_wait, bool long_idle) {
    if (!connection_) return;
    const int frames = connection_->log_frames();
    if (frames < moved_frames_) moved_frames_ = 0;  // the log was begun anew
    const int due = frames - moved_frames_;
    int threshold = jobs_wait ? options_.busy_frames : options_.checkpoint_frames;
    if (long_idle) threshold = 1;
    if (due < threshold) return;
    checkpoint(frames >= options_.restart_frames ? Connection::CheckpointKind::kRestart
                                                 : Connection::CheckpointKind::kPassive);
}

void Writer::checkpoint(Connection::CheckpointKind kind) {
    if (!connection_) return;
    const auto done = connection_->checkpoint(kind);
    if (done) {
        moved_frames_ = done->moved;
    } else if (done.error().reason != "store_busy") {
        log::limited(log::Level::kWarn, "checkpoint", "checkpoint_failed",
                     {{"file", file_.string()}, {"reason", done.error().message}});
    }
}

void Writer::count_live() {
    const auto counted = connection_->number(
        "SELECT count(*) FROM memory INDEXED BY memory_scope WHERE deleted_at IS NULL");
    live_ = counted ? *counted : -1;
}

}  // namespace aeterna::storage
