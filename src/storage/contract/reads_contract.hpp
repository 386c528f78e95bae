#pragma once
#include <gmock/gmock.h>

#include "storage/contract/harness.hpp"

namespace aeterna::storage::contract {

namespace {

inline std::vector<std::string> contents(const std::vector<memory::Memory>& memories) {
    std::vector<std::string> out;
    for (const auto& one : memories) out.push_back(one.content);
    return out;
}

inline std::vector<std::string> sorted_contents(const std::vector<memory::MemoryRecord>& records) {
    std::vector<std::string> out;
    for (const auto& one : records) out.push_back(one.memory.content);
    std::ranges::sort(out);
    return out;
}

inline memory::MemoryRecord tombstone(memory::MemoryRecord before, Timestamp now) {
    auto out = next(std::move(before), now);
    out.change = memory::ChangeKind::kDeleted;
    out.deleted_at = now;
    return out;
}

inline memory::MemoryRecord with_content(memory::MemoryRecord out, const std::string& content) {
    out.memory.content = content;
    out.content_hash = sha256(content);
    return out;
}

}  // namespace

TEST_P(StoreContract, AsOfGivesTheVersionOfThatMoment) {
    const auto v1 = record("t", "ann", "v1", at(10));
    const auto v2 = with_content(next(v1, at(20)), "v2");
    const auto gone = tombstone(v2, at(30));
    for (const auto& one : {v1, v2, gone}) ASSERT_NE(told(unit_of("t", at(40), put(one))), "");
    const auto id = v1.memory.id;
    EXPECT_FALSE(find("t", id, at(50)).has_value());
    EXPECT_FALSE(find("t", id, at(50), at(9)).has_value());
    EXPECT_EQ(find("t", id, at(50), at(10)), v1.memory);
    EXPECT_EQ(find("t", id, at(50), at(19)), v1.memory);
    EXPECT_EQ(find("t", id, at(50), at(20)), v2.memory);
    EXPECT_FALSE(find("t", id, at(50), at(30)).has_value());
    const auto versions = history("t", id);
    ASSERT_EQ(versions.size(), 3U);
    EXPECT_EQ(versions[0].valid_from, at(10));
    EXPECT_EQ(versions[0].valid_to, at(20));
    EXPECT_EQ(versions[2].change, memory::ChangeKind::kDeleted);
    EXPECT_FALSE(versions[2].valid_to.has_value());
    EXPECT_TRUE(history("t", new_id()).empty());
    EXPECT_EQ(status().memories, 0U);
}

TEST_P(StoreContract, WhatIsExpiredIsAbsent) {
    auto one = record("t", "ann", "short", at(0));
    one.memory.expires_at = at(10);
    ASSERT_EQ(told(unit_of("t", at(0), put(one))), "v1");
    EXPECT_TRUE(find("t", one.memory.id, at(9)).has_value());
    EXPECT_FALSE(find("t", one.memory.id, at(10)).has_value());
    EXPECT_TRUE(find("t", one.memory.id, at(20), at(9)).has_value());
    EXPECT_FALSE(find("t", one.memory.id, at(20), at(10)).has_value());
    EXPECT_TRUE(list({one.scope, {}, at(10), 10, std::nullopt}).items.empty());
    EXPECT_TRUE(
        wait(runtime_, store().find_many(TenantId("t"), {one.memory.id}, at(10), soon()))->empty());
}

TEST_P(StoreContract, AReadWhoseTimeIsOverSaysSo) {
    const auto late = Deadline::after(std::chrono::seconds(-1));
    const auto found =
        wait(runtime_, store().find(TenantId("t"), new_id(), at(0), std::nullopt, late));
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, Code::kDeadlineExceeded);
}

TEST_P(StoreContract, FindManyKeepsTheOrderAsked) {
    std::vector<MemoryId> ids;
    for (const char* text : {"a", "b", "c"}) {
        const auto one = record("t", "ann", text, at(0));
        ASSERT_EQ(told(unit_of("t", at(0), put(one))), "v1");
        ids.insert(ids.begin(), one.memory.id);
    }
    ids.insert(ids.begin() + 1, new_id());
    const auto found = wait(runtime_, store().find_many(TenantId("t"), ids, at(1), soon()));
    EXPECT_THAT(contents(*found), testing::ElementsAre("c", "b", "a"));
}

TEST_P(StoreContract, ListPagesNewestFirstThroughFilters) {
    memory::Scope scope;
    std::vector<memory::Command> commands;
    for (int i = 0; i < 300; ++i) {
        auto one = record("t", "ann", std::to_string(i), at(i));
        if (i % 30 == 0) one.memory.metadata["tags"] = boost::json::array{"rare"};
        scope = one.scope;
        commands.push_back(put(std::move(one)));
    }
    commands.push_back(put(record("t", "bob", "not ann's", at(0))));
    ASSERT_TRUE(execute(unit("t", at(0), std::move(commands))).has_value());

    std::vector<std::string> seen;
    memory::ListQuery query{scope, {}, at(1000), 4, std::nullopt};
    query.filters.tags = {"rare"};
    std::size_t pages = 0;
    do {
        const auto page = list(query);
        EXPECT_LE(page.items.size(), 4U);
        for (const auto& text : contents(page.items)) seen.push_back(text);
        query.after = page.next;
        ASSERT_LT(++pages, 50U);
    } while (query.after);
    EXPECT_THAT(seen, testing::ElementsAre("270", "240", "210", "180", "150", "120", "90", "60",
                                           "30", "0"));
    EXPECT_EQ(pages, 3U);

    memory::ListQuery all{scope, {}, at(1000), 500, std::nullopt};
    const auto page = list(all);
    EXPECT_EQ(page.items.size(), 300U);
    EXPECT_EQ(page.items.front().content, "299");
    EXPECT_FALSE(page.next.has_value());
    all.limit = 300;
    EXPECT_FALSE(list(all).next.has_value()) << "no empty page at the end";
}

TEST_P(StoreContract, ValidAtGathersTheVersionsOfThatMoment) {
    const auto kept = record("t", "ann", "kept", at(10));
    const auto old = record("t", "ann", "old", at(10));
    const auto renewed = with_content(next(old, at(30)), "renewed");
    const auto doomed = record("t", "ann", "doomed", at(15));
    auto expiring = record("t", "ann", "expiring", at(10));
    expiring.memory.expires_at = at(18);
    const auto bobs = record("t", "bob", "bob's", at(10));
    const auto other = record("u", "ann", "other tenant's", at(10));
    for (const auto& one : {kept, old, renewed, doomed, tombstone(doomed, at(30)), expiring, bobs})
        ASSERT_NE(told(unit_of("t", at(0), put(one))), "");
    ASSERT_EQ(told(unit_of("u", at(0), put(other))), "v1");
    const auto valid = [&](std::vector<memory::Scope> scopes, Timestamp when) {
        return sorted_contents(*wait(runtime_, store().valid_at(std::move(scopes), when, soon())));
    };
    EXPECT_THAT(valid({kept.scope}, at(9)), testing::IsEmpty());
    EXPECT_THAT(valid({kept.scope}, at(12)), testing::ElementsAre("expiring", "kept", "old"));
    EXPECT_THAT(valid({kept.scope}, at(20)), testing::ElementsAre("doomed", "kept", "old"));
    EXPECT_THAT(valid({kept.scope}, at(30)), testing::ElementsAre("kept", "renewed"));
    EXPECT_THAT(valid({kept.scope, bobs.scope}, at(30)),
                testing::ElementsAre("bob's", "kept", "renewed"));
    const auto then = wait(runtime_, store().valid_at({kept.scope}, at(20), soon()));
    for (const auto& one : *then) EXPECT_FALSE(one.embedding.empty());
}

TEST_P(StoreContract, ScanWalksLiveRecordsInIdOrder) {
    std::vector<memory::MemoryRecord> made;
    for (int i = 0; i < 7; ++i) made.push_back(record("t", "ann", std::to_string(i), at(i)));
    made.push_back(record("u", "ann", "other", at(0)));
    for (const auto& one : made) {
        ASSERT_EQ(told(unit_of(one.scope.tenant.str(), at(0), put(one))), "v1");
    }
    ASSERT_TRUE(execute(unit_of("t", at(9), put(tombstone(made[3], at(9))))).has_value());
    std::vector<memory::MemoryRecord> seen;
    std::optional<MemoryId> after;
    for (int calls = 0; calls < 20; ++calls) {
        const auto chunk = wait(runtime_, store().scan(std::nullopt, after, 2, soon()));
        ASSERT_TRUE(chunk.has_value());
        if (chunk->empty()) break;
        seen.insert(seen.end(), chunk->begin(), chunk->end());
        after = chunk->back().memory.id;
    }
    made.erase(made.begin() + 3);
    EXPECT_EQ(seen, made);
    EXPECT_EQ(scan(TenantId("u")).size(), 1U);
}

TEST_P(StoreContract, SessionsLive) {
    memory::Session session{"s1", {}, {{"mood", "good"}}, Subject("ann"), at(0), std::nullopt};
    session.identifiers.user_id = "ann";
    memory::Command begin;
    begin.reads.session = "s1";
    begin.decide = [session](const memory::Snapshot& seen) -> result<memory::Effect> {
        if (seen.session) return fail(Code::kConflict, "session_exists", "there");
        memory::Effect effect;
        effect.session = session;
        return effect;
    };
    EXPECT_EQ(told(unit_of("t", at(0), begin)), "ok");
    EXPECT_EQ(told(unit_of("t", at(0), begin)), "session_exists");
    const auto look = [&](const char* tenant) {
        return *wait(runtime_, store().find_session(TenantId(tenant), "s1", soon()));
    };
    EXPECT_EQ(look("t"), session);
    EXPECT_FALSE(look("u").has_value());
    memory::Command end;
    end.reads.session = "s1";
    end.decide = [](const memory::Snapshot& seen) -> result<memory::Effect> {
        memory::Effect effect;
        effect.session = seen.session;
        effect.session->ended_at = at(9);
        return effect;
    };
    EXPECT_EQ(told(unit_of("t", at(9), end)), "ok");
    EXPECT_EQ(look("t")->ended_at, at(9));
}

TEST_P(StoreContract, ExpireMakesTombstonesThatPurgeRemoves) {
    auto brief = record("t", "ann", "brief", at(0));
    brief.memory.expires_at = at(10);
    auto longer = record("t", "ann", "longer", at(0));
    longer.memory.expires_at = at(50);
    auto keyed = unit_of("t", at(0), put(brief), put(longer));
    keyed.claim = claim("k", "body");
    ASSERT_EQ(told(keyed), "v1 v1");
    const auto expire = [&](Timestamp now) {
        return *wait(runtime_, store().expire(now, 100, soon()));
    };
    EXPECT_EQ(expire(at(9)), 0U);
    EXPECT_EQ(expire(at(20)), 1U);
    EXPECT_EQ(expire(at(20)), 0U);
    const auto versions = history("t", brief.memory.id);
    ASSERT_EQ(versions.size(), 2U);
    EXPECT_EQ(versions[1].change, memory::ChangeKind::kExpired);
    EXPECT_EQ(versions[1].actor, Subject("aeterna"));
    EXPECT_EQ(recorder_.records().back().deleted_at, at(20));
    EXPECT_EQ(recorder_.positions().back(), status().position);
    EXPECT_EQ(status().memories, 1U);
    // Its content may come again.
    EXPECT_EQ(told(unit_of("t", at(21), put(record("t", "ann", "brief", at(21))))), "v1");

    const auto purge = [&](Timestamp deleted, Timestamp made) {
        return *wait(runtime_, store().purge(deleted, made, 100, soon()));
    };
    EXPECT_EQ(purge(at(20), at(0)), 0U);
    EXPECT_EQ(history("t", brief.memory.id).size(), 2U);
    EXPECT_EQ(purge(at(21), at(0)), 2U) << "the tombstone and its one earlier version";
    EXPECT_TRUE(history("t", brief.memory.id).empty());
    EXPECT_TRUE(execute(keyed)->replayed);
    EXPECT_EQ(purge(at(21), at(1)), 1U) << "the key";
    EXPECT_EQ(told(keyed), "duplicate_content memory_exists") << "the key is forgotten";
}

TEST_P(StoreContract, PurgeTrimsTheOutboxAndPositionsNeverGoBack) {
    ASSERT_EQ(told(unit_of("t", at(0), put(record("t", "ann", "old", at(0))))), "v1");
    const auto fortnight = at(14LL * 24 * 3600);
    const auto later = execute(unit_of("t", fortnight, put(record("t", "ann", "new", fortnight))));
    ASSERT_TRUE(later.has_value());
    EXPECT_EQ(*wait(runtime_, store().purge(at(0), at(0), 100, soon())), 1U);
    reopen();
    EXPECT_EQ(status().position, later->position);
    const auto last = execute(unit_of("t", fortnight, put(record("t", "ann", "x", fortnight))));
    EXPECT_GT(last->position, later->position);
}

TEST_P(StoreContract, KeysAreKept) {
    const auto any = [&] { return *wait(runtime_, keys().any_key(soon())); };
    EXPECT_FALSE(any());
    const auto minted = security::mint_key(TenantId("t"), Subject("ann"),
                                           {security::Role::kTenantAdmin, security::Role::kViewer},
                                           "laptop", at(0), std::nullopt);
    const auto second = security::mint_key(TenantId("t"), Subject("bob"), {}, "", at(1), at(2));
    const auto foreign = security::mint_key(TenantId("u"), Subject("eve"), {}, "", at(1), {});
    for (const auto* one : {&minted, &second, &foreign}) {
        ASSERT_TRUE(wait(runtime_, keys().put_key(one->key, soon())).has_value());
    }
    EXPECT_TRUE(any());
    const auto found = [&](KeyId id) { return *wait(runtime_, keys().find_key(id, soon())); };
    EXPECT_EQ(found(minted.key.id), minted.key);
    EXPECT_FALSE(found(KeyId{new_id().value}).has_value());
    EXPECT_EQ(*wait(runtime_, keys().list_keys(TenantId("t"), soon())),
              (std::vector{second.key, minted.key}));
    const auto revoke = [&](const char* tenant, KeyId id, Timestamp now) {
        return *wait(runtime_, keys().revoke_key(TenantId(tenant), id, now, soon()));
    };
    EXPECT_FALSE(revoke("t", foreign.key.id, at(5)));
    EXPECT_TRUE(revoke("t", minted.key.id, at(5)));
    EXPECT_TRUE(revoke("t", minted.key.id, at(6)));
    EXPECT_EQ(found(minted.key.id)->revoked_at, at(5));
    EXPECT_FALSE(found(foreign.key.id)->revoked_at.has_value());
    auto stolen = foreign.key;
    stolen.tenant = TenantId("t");
    const auto refused = wait(runtime_, keys().put_key(stolen, soon()));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kConflict);
    reopen();
    EXPECT_EQ(found(minted.key.id)->revoked_at, at(5));
}

}  // namespace aeterna::storage::contract
