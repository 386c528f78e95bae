#pragma once
#include <algorithm>
#include <cctype>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "json/codec.hpp"
#include "memory/memory_service.hpp"
#include "security/api_key.hpp"

/// For the tests of this module only: small ports in memory, and a way to run a coroutine.
namespace aeterna::mcp::testing {

template <class T>
T run(task<T> work) {
    asio::io_context loop;
    std::optional<T> out;
    std::exception_ptr thrown;
    asio::co_spawn(loop, std::move(work), [&](std::exception_ptr error, T value) {
        thrown = error;
        if (!error) out.emplace(std::move(value));
    });
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*out);
}

inline json::Value json_of(std::string_view text) {
    return json::parse(text, {100}).value();
}

class StillClock final : public Clock {
  public:
    [[nodiscard]] Timestamp now() const override { return at; }
    Timestamp at = *parse_rfc3339("2026-11-23T10:00:00Z");
};

/// Keeps everything in a vector; one command after the other, keys remembered.
class VectorStore final : public memory::MemoryStore {
  public:
    std::vector<memory::MemoryRecord> rows;
    std::optional<Error> trouble;  ///< what every write fails with
    std::size_t writes = 0;

    void clear() {
        rows.clear();
        keys_.clear();
    }

    task<result<memory::Committed>> execute(memory::UnitOfWork work, Deadline) override {
        if (trouble) co_return fail(*trouble);
        if (work.claim) {
            for (const auto& [claim, reply] : keys_) {
                if (claim.key != work.claim->key || claim.subject != work.claim->subject) continue;
                if (claim.fingerprint != work.claim->fingerprint)
                    co_return fail(Code::kRuleViolation, "idempotency_key_reused", "another call");
                co_return memory::Committed{reply, true, writes};
            }
        }
        const auto before = rows;
        std::vector<result<memory::Outcome>> outcomes;
        for (const memory::Command& command : work.commands) {
            memory::Snapshot snapshot;
            for (const auto& row : rows) {
                if (row.scope.tenant != work.tenant) continue;
                if (command.reads.memory == row.memory.id) snapshot.memory = row;
            }
            const auto scope = command.reads.twin_scope ? command.reads.twin_scope
                               : snapshot.memory        ? std::optional(snapshot.memory->scope)
                                                        : std::nullopt;
            for (const auto& row : rows) {
                if (!row.deleted_at && command.reads.twin_hash == row.content_hash &&
                    scope == row.scope)
                    snapshot.twin = row;
            }
            auto effect = command.decide(snapshot);
            if (!effect) {
                outcomes.push_back(tl::unexpected(effect.error()));
                continue;
            }
            if (effect->put) {
                std::erase_if(
                    rows, [&](const auto& row) { return row.memory.id == effect->put->memory.id; });
                rows.push_back(*effect->put);
            }
            outcomes.push_back(std::move(effect->outcome));
        }
        auto reply = work.finish(outcomes);
        if (!reply) {
            rows = before;
            co_return tl::unexpected(std::move(reply).error());
        }
        ++writes;
        if (work.claim) keys_.emplace_back(*work.claim, *reply);
        co_return memory::Committed{std::move(*reply), false, writes};
    }

    task<result<std::optional<memory::Memory>>> find(TenantId tenant, MemoryId id, Timestamp,
                                                     std::optional<Timestamp>, Deadline) override {
        for (const auto& row : rows) {
            if (row.scope.tenant == tenant && row.memory.id == id && !row.deleted_at)
                co_return row.memory;
        }
        co_return std::optional<memory::Memory>{};
    }
    task<result<std::vector<memory::Memory>>> find_many(TenantId tenant, std::vector<MemoryId> ids,
                                                        Timestamp now, Deadline deadline) override {
        std::vector<memory::Memory> out;
        for (const MemoryId& id : ids) {
            auto found = co_await find(tenant, id, now, std::nullopt, deadline);
            if (found && *found) out.push_back(**found);
        }
        co_return out;
    }
    task<result<std::vector<memory::MemoryVersion>>> history(TenantId, MemoryId,
                                                             Deadline) override {
        co_return std::vector<memory::MemoryVersion>{};
    }
    task<result<memory::Page>> list(memory::ListQuery, Deadline) override {
        co_return memory::Page{};
    }
    task<result<std::optional<memory::Session>>> find_session(TenantId, std::string,
                                                              Deadline) override {
        co_return std::optional<memory::Session>{};
    }
    task<result<std::vector<memory::MemoryRecord>>> valid_at(std::vector<memory::Scope>, Timestamp,
                                                             Deadline) override {
        co_return rows;
    }
    task<result<std::vector<memory::MemoryRecord>>> scan(std::optional<TenantId>,
                                                         std::optional<MemoryId>, std::size_t,
                                                         Deadline) override {
        co_return rows;
    }
    task<result<memory::StoreStatus>> status(Deadline) override { co_return memory::StoreStatus{}; }
    task<result<std::size_t>> expire(Timestamp, std::size_t, Deadline) override { co_return 0; }
    task<result<std::size_t>> purge(Timestamp, Timestamp, std::size_t, Deadline) override {
        co_return 0;
    }

  private:
    std::vector<std::pair<memory::IdempotencyClaim, memory::Reply>> keys_;
};

/// Finds what has the query's first word in it, newest first.
class WordIndex final : public memory::MemoryIndex {
  public:
    explicit WordIndex(const VectorStore& store) : store_(store) {}
    std::vector<memory::Scope> asked;  ///< scopes of the last search

    task<result<memory::Candidates>> search(memory::IndexQuery query, Deadline) override {
        asked = query.scopes;
        memory::Candidates out;
        const std::string word = query.text.substr(0, query.text.find(' '));
        for (const auto& row : store_.rows) {
            const bool inside = std::ranges::find(query.scopes, row.scope) != query.scopes.end();
            if (!inside || row.deleted_at || row.memory.content.find(word) == std::string::npos)
                continue;
            memory::Candidate candidate;
            candidate.id = row.memory.id;
            candidate.layer = row.memory.layer;
            candidate.version = row.memory.version;
            candidate.updated_at = row.memory.updated_at;
            candidate.importance = row.memory.importance;
            candidate.bm25 = 1;
            candidate.lexical_rank = static_cast<std::uint32_t>(out.items.size() + 1);
            out.items.push_back(std::move(candidate));
        }
        out.scanned = store_.rows.size();
        co_return out;
    }
    task<result<memory::Candidates>> search_among(std::vector<memory::MemoryRecord>,
                                                  memory::IndexQuery query,
                                                  Deadline deadline) override {
        return search(std::move(query), deadline);
    }
    task<result<memory::IndexStatus>> status(Deadline) override { co_return memory::IndexStatus{}; }
    task<result<memory::IndexStatus>> rebuild(Deadline) override {
        co_return memory::IndexStatus{};
    }
    task<result<memory::IndexDifferences>> verify(Deadline) override {
        co_return memory::IndexDifferences{};
    }

  private:
    const VectorStore& store_;
};

/// No meaning: search goes by words.
class NoEmbedder final : public memory::Embedder {
  public:
    [[nodiscard]] const memory::EmbedderIdentity& identity() const override { return identity_; }
    task<result<std::vector<retrieval::PackedVector>>> embed(std::vector<std::string>,
                                                             Deadline) override {
        co_return fail(Code::kUnavailable, "no embedder in this test");
    }

  private:
    memory::EmbedderIdentity identity_{"none", 0};
};

class NoKeys final : public security::KeyStore {
  public:
    task<result<void>> put_key(security::ApiKey, Deadline) override { co_return result<void>{}; }
    task<result<std::optional<security::ApiKey>>> find_key(KeyId, Deadline) override {
        co_return std::optional<security::ApiKey>{};
    }
    task<result<std::vector<security::ApiKey>>> list_keys(TenantId, Deadline) override {
        co_return std::vector<security::ApiKey>{};
    }
    task<result<bool>> revoke_key(TenantId, KeyId, Timestamp, Deadline) override {
        co_return false;
    }
    task<result<bool>> any_key(Deadline) override { co_return false; }
};

}  // namespace aeterna::mcp::testing
