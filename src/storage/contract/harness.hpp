#pragma once
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "memory/ports.hpp"
#include "runtime/runtime.hpp"
#include "security/api_key.hpp"

/// What the contract suites of the stores share.
namespace aeterna::storage::contract {

/// One adapter, filled with nothing. `reopen` closes it and opens it on the same data.
class StoreUnderTest {
  public:
    virtual ~StoreUnderTest() = default;
    virtual memory::MemoryStore& memories() = 0;
    virtual security::KeyStore& keys() = 0;
    virtual void reopen() = 0;
};
using MakeStore =
    std::function<std::unique_ptr<StoreUnderTest>(Runtime& runtime, memory::CommitListener*)>;

/// Keeps what it hears.
class Recorder final : public memory::CommitListener {
  public:
    void committed(std::uint64_t position, std::span<const memory::MemoryRecord> records) override {
        const std::lock_guard lock(mutex_);
        positions_.push_back(position);
        records_.insert(records_.end(), records.begin(), records.end());
    }
    [[nodiscard]] std::vector<memory::MemoryRecord> records() const {
        const std::lock_guard lock(mutex_);
        return records_;
    }
    [[nodiscard]] std::vector<std::uint64_t> positions() const {
        const std::lock_guard lock(mutex_);
        return positions_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::uint64_t> positions_;
    std::vector<memory::MemoryRecord> records_;
};

[[nodiscard]] inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(60));
}
[[nodiscard]] inline Timestamp at(std::int64_t seconds) {
    return from_micros((1'800'000'000 + seconds) * 1'000'000);
}

/// Starts a task on a loop of the runtime.
template <class T>
std::future<T> start(Runtime& runtime, task<T> work) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    asio::co_spawn(runtime.any_loop(), std::move(work),
                   [promise](const std::exception_ptr& error, T value) {
                       if (error) {
                           promise->set_exception(error);
                       } else {
                           promise->set_value(std::move(value));
                       }
                   });
    return future;
}
template <class T>
T wait(Runtime& runtime, task<T> work) {
    return start(runtime, std::move(work)).get();
}

[[nodiscard]] inline MemoryId new_id() {
    return MemoryId{system_uuid_source().next(SystemClock().now())};
}

/// A first version in the user layer of `user`.
[[nodiscard]] inline memory::MemoryRecord record(const std::string& tenant, const std::string& user,
                                                 const std::string& content, Timestamp now) {
    memory::MemoryRecord out;
    out.memory.id = new_id();
    out.memory.content = content;
    out.memory.layer = memory::Layer::kUser;
    out.memory.identifiers.user_id = user;
    out.memory.metadata = {{"tags", boost::json::array{"a"}}, {"source", boost::json::object{}}};
    out.memory.created_at = now;
    out.memory.updated_at = now;
    out.scope = *memory::scope_of(TenantId(tenant), out.memory.layer, out.memory.identifiers);
    out.content_hash = sha256(content);
    out.actor = Subject("tester");
    const std::vector<float> vector(8, 0.5F);
    out.embedding = retrieval::pack(vector);
    out.embedder = "test@8";
    return out;
}

[[nodiscard]] inline memory::MemoryRecord next(memory::MemoryRecord before, Timestamp now) {
    ++before.memory.version;
    before.memory.updated_at = now;
    before.change = memory::ChangeKind::kUpdated;
    return before;
}

/// Puts the record whatever is there.
[[nodiscard]] inline memory::Command put(memory::MemoryRecord wanted) {
    memory::Command command;
    command.reads.memory = wanted.memory.id;
    command.decide = [wanted = std::move(wanted)](const memory::Snapshot&) {
        memory::Effect effect;
        effect.outcome = {memory::OutcomeKind::kCreated, wanted.memory, std::nullopt};
        effect.put = wanted;
        return result<memory::Effect>(std::move(effect));
    };
    return command;
}

/// Puts the record unless the scope has this content; then it reinforces the one there.
[[nodiscard]] inline memory::Command add(memory::MemoryRecord wanted) {
    memory::Command command;
    command.reads.twin_hash = wanted.content_hash;
    command.reads.twin_scope = wanted.scope;
    command.decide = [wanted = std::move(wanted)](const memory::Snapshot& seen) {
        memory::Effect effect;
        effect.put = seen.twin ? next(*seen.twin,
                                      seen.twin->memory.updated_at + std::chrono::microseconds(1))
                               : wanted;
        effect.outcome = {
            seen.twin ? memory::OutcomeKind::kReinforced : memory::OutcomeKind::kCreated,
            effect.put->memory, std::nullopt};
        return result<memory::Effect>(std::move(effect));
    };
    return command;
}

/// Every outcome as a word, separated by spaces: the id's version or the error's reason.
[[nodiscard]] inline result<memory::Reply> tell(std::span<const result<memory::Outcome>> outcomes) {
    memory::Reply reply;
    for (const auto& outcome : outcomes) {
        if (!reply.body.empty()) reply.body += ' ';
        if (!outcome) {
            reply.body += outcome.error().machine_code();
        } else {
            reply.body +=
                outcome->memory ? fmt::format("v{}", outcome->memory->version) : std::string("ok");
            reply.version = outcome->memory ? outcome->memory->version : 0;
        }
    }
    return reply;
}

[[nodiscard]] inline memory::UnitOfWork unit(const std::string& tenant, Timestamp now,
                                             std::vector<memory::Command> commands) {
    memory::UnitOfWork work;
    work.tenant = TenantId(tenant);
    work.now = now;
    work.commands = std::move(commands);
    work.finish = tell;
    return work;
}
template <class... Commands>
[[nodiscard]] memory::UnitOfWork unit_of(const std::string& tenant, Timestamp now,
                                         Commands... commands) {
    std::vector<memory::Command> all;
    (all.push_back(std::move(commands)), ...);
    return unit(tenant, now, std::move(all));
}

[[nodiscard]] inline memory::IdempotencyClaim claim(const std::string& key,
                                                    const std::string& body) {
    return {Subject("tester"), key, sha256(body)};
}

class StoreContract : public ::testing::TestWithParam<MakeStore> {
  protected:
    void SetUp() override { under_ = GetParam()(runtime_, &recorder_); }
    void TearDown() override {
        under_.reset();
        runtime_.stop();
    }
    memory::MemoryStore& store() { return under_->memories(); }
    security::KeyStore& keys() { return under_->keys(); }
    void reopen() { under_->reopen(); }

    result<memory::Committed> execute(memory::UnitOfWork work) {
        return wait(runtime_, store().execute(std::move(work), soon()));
    }
    std::string told(memory::UnitOfWork work) {
        const auto done = execute(std::move(work));
        return done ? done->reply.body : std::string(done.error().machine_code());
    }
    std::optional<memory::Memory> find(const std::string& tenant, MemoryId id, Timestamp now,
                                       std::optional<Timestamp> as_of = std::nullopt) {
        auto found = wait(runtime_, store().find(TenantId(tenant), id, now, as_of, soon()));
        EXPECT_TRUE(found.has_value()) << found.error().message;
        return found ? *found : std::nullopt;
    }
    std::vector<memory::MemoryVersion> history(const std::string& tenant, MemoryId id) {
        auto found = wait(runtime_, store().history(TenantId(tenant), id, soon()));
        EXPECT_TRUE(found.has_value());
        return found ? *found : std::vector<memory::MemoryVersion>();
    }
    memory::Page list(memory::ListQuery query) {
        auto page = wait(runtime_, store().list(std::move(query), soon()));
        EXPECT_TRUE(page.has_value());
        return page ? *page : memory::Page();
    }
    std::vector<memory::MemoryRecord> scan(std::optional<TenantId> tenant = std::nullopt,
                                           std::size_t limit = 1000) {
        auto found = wait(runtime_, store().scan(std::move(tenant), std::nullopt, limit, soon()));
        EXPECT_TRUE(found.has_value());
        return found ? *found : std::vector<memory::MemoryRecord>();
    }
    memory::StoreStatus status() { return *wait(runtime_, store().status(soon())); }

    Runtime runtime_{{.loops = 2, .blocking = 2}};
    Recorder recorder_;
    std::unique_ptr<StoreUnderTest> under_;
};

}  // namespace aeterna::storage::contract
