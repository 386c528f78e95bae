#pragma once
#include <algorithm>

#include <gmock/gmock.h>

#include "storage/contract/harness.hpp"

namespace aeterna::storage::contract {

TEST_P(StoreContract, WhatIsPutIsFoundAsItWas) {
    auto first = record("t", "ann", "likes tea", at(0));
    first.memory.metadata = {{"tags", boost::json::array{"x", "y"}},
                             {"source", boost::json::object{{"type", "chat"}}},
                             {"ratio", 0.1},
                             {"tiny", 4.9406564584124654e-324},
                             {"precise", 0.30000000000000004},
                             {"count", 7},
                             {"text", "1.5e3 \"quoted\\\" 2.5"},
                             {"nested", boost::json::object{{"deep", {1.0, -2.5e-7, "z"}}}}};
    first.memory.importance = 0.1 + 0.2;
    first.memory.expires_at = at(1000);
    const auto done = execute(unit_of("t", at(0), put(first)));
    ASSERT_TRUE(done.has_value()) << done.error().message;
    EXPECT_EQ(done->reply.body, "v1");
    EXPECT_FALSE(done->replayed);
    EXPECT_GT(done->position, 0U);
    EXPECT_EQ(find("t", first.memory.id, at(1)), first.memory);
    EXPECT_THAT(scan(), testing::ElementsAre(first));
    EXPECT_EQ(status().memories, 1U);
    EXPECT_EQ(status().position, done->position);
    EXPECT_FALSE(status().trouble.has_value());
}

TEST_P(StoreContract, EverythingIsThereAfterReopening) {
    auto first = record("t", "ann", "likes tea", at(0));
    auto second = next(first, at(1));
    second.memory.content = "likes coffee";
    second.content_hash = sha256("likes coffee");
    auto keyed = unit_of("t", at(0), put(first));
    keyed.claim = claim("k", "body");
    ASSERT_EQ(told(keyed), "v1");
    const auto done = execute(unit_of("t", at(1), put(second)));
    ASSERT_TRUE(done.has_value());
    reopen();
    EXPECT_EQ(find("t", first.memory.id, at(2)), second.memory);
    EXPECT_EQ(history("t", first.memory.id).size(), 2U);
    EXPECT_EQ(status().memories, 1U);
    EXPECT_EQ(status().position, done->position);
    const auto again = execute(keyed);
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->replayed);
    const auto later = execute(unit_of("t", at(3), put(record("t", "ann", "new", at(3)))));
    ASSERT_TRUE(later.has_value());
    EXPECT_GT(later->position, done->position);
}

TEST_P(StoreContract, CommandsOfAUnitSeeTheOnesBefore) {
    const auto first = record("t", "ann", "one", at(0));
    const auto twin = record("t", "ann", "one", at(0));
    EXPECT_EQ(
        told(unit_of("t", at(0), add(first), add(twin), put(next(next(first, at(1)), at(2))))),
        "v1 v2 v3");
    EXPECT_EQ(find("t", first.memory.id, at(3))->version, 3);
    EXPECT_FALSE(find("t", twin.memory.id, at(3)).has_value());
}

TEST_P(StoreContract, AFailedDecisionLeavesTheOthers) {
    const auto first = record("t", "ann", "one", at(0));
    const auto third = record("t", "ann", "three", at(0));
    memory::Command no;
    no.decide = [](const memory::Snapshot&) -> result<memory::Effect> {
        return fail(Code::kForbidden, "not_yours", "no");
    };
    EXPECT_EQ(told(unit_of("t", at(0), put(first), no, put(third))), "v1 not_yours v1");
    EXPECT_EQ(status().memories, 2U);
}

TEST_P(StoreContract, ARefusedEffectLeavesNothingOfItself) {
    const auto one = record("t", "ann", "one", at(0));
    const auto two = record("t", "ann", "two", at(0));
    ASSERT_EQ(told(unit_of("t", at(0), put(one), put(two))), "v1 v1");
    // The second version would be the twin of "one": its predecessor must not stay in the history.
    auto clash = next(two, at(1));
    clash.memory.content = "one";
    clash.content_hash = one.content_hash;
    const auto after = record("t", "ann", "after", at(1));
    EXPECT_EQ(told(unit_of("t", at(1), put(clash), put(after))), "duplicate_content v1");
    EXPECT_EQ(find("t", two.memory.id, at(2)), two.memory);
    EXPECT_EQ(history("t", two.memory.id).size(), 1U);
    EXPECT_EQ(told(unit_of("t", at(2), put(next(two, at(2))))), "v2");
    EXPECT_EQ(status().memories, 3U);
}

TEST_P(StoreContract, TwinIdsAndVersionsThatDoNotFollowAreConflicts) {
    const auto one = record("t", "ann", "one", at(0));
    ASSERT_EQ(told(unit_of("t", at(0), put(one))), "v1");
    auto same_id = one;
    same_id.memory.content = "other";
    same_id.content_hash = sha256("other");
    EXPECT_EQ(told(unit_of("t", at(0), put(same_id))), "memory_exists");
    EXPECT_EQ(told(unit_of("t", at(0), put(record("t", "ann", "one", at(0))))),
              "duplicate_content");
    EXPECT_EQ(told(unit_of("t", at(0), put(next(next(one, at(1)), at(2))))), "version_conflict");
    EXPECT_EQ(told(unit_of("t", at(0), put(record("t", "bob", "one", at(0))))), "v1")
        << "another scope may have the same content";
    EXPECT_EQ(find("t", one.memory.id, at(3)), one.memory);
}

TEST_P(StoreContract, FinishUndoesTheWholeUnit) {
    const auto base = record("t", "ann", "base", at(0));
    ASSERT_EQ(told(unit_of("t", at(0), put(base))), "v1");
    const auto before = status().position;
    auto work = unit_of("t", at(1), put(record("t", "ann", "gone", at(1))), put(next(base, at(1))));
    work.claim = claim("k", "body");
    work.finish = [](std::span<const result<memory::Outcome>> outcomes) -> result<memory::Reply> {
        EXPECT_TRUE(std::ranges::all_of(outcomes, [](const auto& o) { return o.has_value(); }));
        return fail(Code::kRuleViolation, "all_or_nothing", "no");
    };
    EXPECT_EQ(told(work), "all_or_nothing");
    EXPECT_EQ(status().memories, 1U);
    EXPECT_EQ(status().position, before);
    EXPECT_EQ(history("t", base.memory.id).size(), 1U);
    EXPECT_EQ(recorder_.records().size(), 1U);
    // Nothing was remembered under the key either.
    work.finish = tell;
    EXPECT_EQ(told(work), "v1 v2");
}

TEST_P(StoreContract, AKeyGivesTheFirstReplyAgain) {
    auto work = unit_of("t", at(0), put(record("t", "ann", "one", at(0))));
    work.claim = claim("k", "body");
    const auto first = execute(work);
    ASSERT_TRUE(first.has_value());
    work.finish = [](auto) { return result<memory::Reply>(memory::Reply{200, "another", 9}); };
    const auto again = execute(work);
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(again->replayed);
    EXPECT_EQ(again->reply, first->reply);
    EXPECT_EQ(again->position, first->position);

    auto other = unit_of("t", at(0), put(record("t", "ann", "two", at(0))));
    other.claim = claim("k", "another body");
    EXPECT_EQ(told(other), "idempotency_key_reused");
    other.claim->subject = Subject("somebody else");
    EXPECT_EQ(told(other), "v1") << "keys belong to a subject";
    auto elsewhere = unit_of("u", at(0), put(record("u", "ann", "one", at(0))));
    elsewhere.claim = claim("k", "another body");
    EXPECT_EQ(told(elsewhere), "v1") << "and to a tenant";
    EXPECT_EQ(status().memories, 3U);
}

TEST_P(StoreContract, OnlyGoodRepliesAreRemembered) {
    auto work = unit_of("t", at(0));
    work.claim = claim("k", "body");
    work.finish = [](auto) { return result<memory::Reply>(memory::Reply{404, "none", 0}); };
    const auto first = execute(work);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->reply.status, 404);
    work.finish = [](auto) { return result<memory::Reply>(memory::Reply{201, "now", 1}); };
    const auto second = execute(work);
    ASSERT_TRUE(second.has_value());
    EXPECT_FALSE(second->replayed);
    EXPECT_EQ(second->reply.body, "now");
}

TEST_P(StoreContract, OneKeyManyCallersOneEffect) {
    std::vector<std::future<result<memory::Committed>>> calls;
    for (int i = 0; i < 8; ++i) {
        auto work = unit_of("t", at(0), put(record("t", "ann", fmt::format("c{}", i), at(0))));
        work.claim = claim("k", "body");
        calls.push_back(start(runtime_, store().execute(std::move(work), soon())));
    }
    int fresh = 0;
    for (auto& call : calls) {
        const auto done = call.get();
        ASSERT_TRUE(done.has_value());
        EXPECT_EQ(done->reply.body, "v1");
        fresh += done->replayed ? 0 : 1;
    }
    EXPECT_EQ(fresh, 1);
    EXPECT_EQ(status().memories, 1U);
}

TEST_P(StoreContract, ConcurrentAddsOfOneContentMakeOneMemory) {
    std::vector<std::future<result<memory::Committed>>> calls;
    for (int i = 0; i < 8; ++i) {
        auto work = unit_of("t", at(0), add(record("t", "ann", "same", at(0))));
        calls.push_back(start(runtime_, store().execute(std::move(work), soon())));
    }
    for (auto& call : calls) ASSERT_TRUE(call.get().has_value());
    const auto all = scan();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].memory.version, 8);
    EXPECT_EQ(history("t", all[0].memory.id).size(), 8U);
}

TEST_P(StoreContract, TheListenerHearsInCommitOrderBeforeTheAnswer) {
    const auto first = record("t", "ann", "0", at(0));
    ASSERT_EQ(told(unit_of("t", at(0), put(first))), "v1");
    EXPECT_EQ(recorder_.records().size(), 1U);
    std::vector<std::future<result<memory::Committed>>> calls;
    for (int i = 1; i <= 20; ++i) {
        auto work = unit_of("t", at(i), put(record("t", "ann", std::to_string(i), at(i))),
                            add(record("t", "ann", "shared", at(i))));
        calls.push_back(start(runtime_, store().execute(std::move(work), soon())));
    }
    std::uint64_t last = 0;
    for (auto& call : calls) last = std::max(last, call.get()->position);
    const auto heard = recorder_.records();
    EXPECT_EQ(heard.size(), 41U);
    std::map<std::string, std::int64_t> versions;
    for (const auto& one : heard) {
        EXPECT_EQ(one.memory.version, ++versions[one.memory.id.str()]);
    }
    const auto positions = recorder_.positions();
    EXPECT_TRUE(std::ranges::is_sorted(positions));
    EXPECT_EQ(positions.back(), last);
    EXPECT_EQ(status().position, last);
}

TEST_P(StoreContract, AUnitWhoseTimeIsOverDoesNothing) {
    const auto one = record("t", "ann", "late", at(0));
    const auto done = wait(runtime_, store().execute(unit_of("t", at(0), put(one)),
                                                     Deadline::after(std::chrono::seconds(-1))));
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().code, Code::kDeadlineExceeded);
    EXPECT_EQ(status().memories, 0U);
}

TEST_P(StoreContract, AnotherTenantsIdIsNeitherSeenNorTouched) {
    const auto mine = record("t", "ann", "mine", at(0));
    ASSERT_EQ(told(unit_of("t", at(0), put(mine))), "v1");
    EXPECT_FALSE(find("u", mine.memory.id, at(1)).has_value());
    EXPECT_TRUE(history("u", mine.memory.id).empty());
    auto theirs = record("u", "ann", "theirs", at(0));
    theirs.memory.id = mine.memory.id;
    memory::Command looks;
    looks.reads.memory = mine.memory.id;
    looks.decide = [theirs](const memory::Snapshot& seen) -> result<memory::Effect> {
        if (seen.memory) return fail(Code::kInternal, "leak", "saw another tenant's row");
        memory::Effect effect;
        effect.put = theirs;
        effect.outcome.memory = theirs.memory;
        return effect;
    };
    EXPECT_EQ(told(unit_of("u", at(0), looks)), "v1");
    EXPECT_EQ(find("t", mine.memory.id, at(1)), mine.memory);
    EXPECT_EQ(find("u", mine.memory.id, at(1)), theirs.memory);
    EXPECT_EQ(told(unit_of("u", at(0), put(record("t", "ann", "smuggled", at(0))))),
              "other_tenant");
    EXPECT_EQ(scan(TenantId("t")).size(), 1U);
    EXPECT_EQ(scan(std::nullopt, 1).size(), 2U) << "a page never ends between equal ids";
}

TEST_P(StoreContract, ImportBringsVersionsAsTheyWere) {
    auto v1 = record("t", "ann", "first", at(0));
    auto v3 = next(next(v1, at(5)), at(10));
    v3.memory.content = "third";
    v3.content_hash = sha256("third");
    auto v2 = next(v1, at(5));
    memory::Command import;
    import.decide = [=](const memory::Snapshot&) -> result<memory::Effect> {
        memory::Effect effect;
        effect.put = v3;
        effect.older = {v1, v2};
        effect.outcome.memory = v3.memory;
        return effect;
    };
    ASSERT_EQ(told(unit_of("t", at(100), import)), "v3");
    const auto versions = history("t", v1.memory.id);
    ASSERT_EQ(versions.size(), 3U);
    EXPECT_EQ(versions[0].memory, v1.memory);
    EXPECT_EQ(versions[0].valid_to, at(5));
    EXPECT_EQ(versions[1].valid_to, at(10));
    EXPECT_EQ(versions[2].memory, v3.memory);
    EXPECT_EQ(find("t", v1.memory.id, at(200), at(6)), v2.memory);
    // Again: refused as a whole, without half of its history.
    EXPECT_EQ(told(unit_of("t", at(100), import)), "memory_exists");
    EXPECT_EQ(history("t", v1.memory.id).size(), 3U);
}

}  // namespace aeterna::storage::contract
