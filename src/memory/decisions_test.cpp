#include "memory/decisions.hpp"

#include <gtest/gtest.h>

#include "memory/codec.hpp"

namespace aeterna::memory {
namespace {

const Timestamp kNow = *parse_rfc3339("2026-11-23T10:00:00Z");
const MemoryId kFresh{*Uuid::parse("01900000-0000-7000-8000-000000000001")};
const MemoryId kOther{*Uuid::parse("01900000-0000-7000-8000-000000000002")};

Call call_of(std::string subject,
             std::vector<security::Role> roles = {security::Role::kDeveloper}) {
    return {{TenantId("t"), Subject(std::move(subject)), std::move(roles)}, kNow};
}

Identifiers user(std::string id) {
    Identifiers out;
    out.user_id = std::move(id);
    return out;
}

AddRequest add_of(std::string content) {
    AddRequest request;
    request.content = std::move(content);
    request.layer = Layer::kUser;
    request.identifiers = user("ada");
    return request;
}

/// Runs an add against nothing and gives the record it would store.
MemoryRecord stored(std::string content) {
    auto command = add_command(call_of("ada"), add_of(std::move(content)), kFresh, {});
    auto effect = command->decide({});
    return *effect->put;
}

Snapshot seeing(MemoryRecord record) {
    Snapshot seen;
    seen.memory = std::move(record);
    return seen;
}

TEST(Add, StoresAFirstVersionWithTagsAndSource) {
    const MemoryRecord record = stored("likes tea");
    EXPECT_EQ(record.memory.version, 1);
    EXPECT_EQ(record.memory.importance, 0.5);
    EXPECT_TRUE(record.memory.metadata.at("tags").is_array());
    EXPECT_TRUE(record.memory.metadata.at("source").is_object());
    EXPECT_EQ(record.content_hash, content_hash("likes tea"));
    EXPECT_EQ(record.actor.str(), "ada");
}

TEST(Add, IdenticalContentReinforcesTheFirst) {
    auto command = add_command(call_of("ada"), add_of("likes tea"), kOther, {});
    Snapshot seen;
    seen.twin = stored("likes tea");
    auto effect = command->decide(seen);
    ASSERT_TRUE(effect);
    EXPECT_EQ(effect->outcome.kind, OutcomeKind::kReinforced);
    EXPECT_EQ(effect->put->memory.id, kFresh);
    EXPECT_EQ(effect->put->memory.version, 2);
    EXPECT_DOUBLE_EQ(effect->put->memory.importance, 0.55);
}

TEST(Add, ReinforcingKeepsTheLaterExpiry) {
    Snapshot seen;
    seen.twin = stored("likes tea");
    seen.twin->memory.expires_at = kNow + std::chrono::hours(1);
    auto forever = add_command(call_of("ada"), add_of("likes tea"), kOther, {})->decide(seen);
    EXPECT_FALSE(forever->put->memory.expires_at);
    AddRequest sooner = add_of("likes tea");
    sooner.expires_at = kNow + std::chrono::minutes(1);
    auto kept = add_command(call_of("ada"), sooner, kOther, {})->decide(seen);
    EXPECT_EQ(kept->put->memory.expires_at, kNow + std::chrono::hours(1));
}

TEST(Add, AnExpiredTwinIsReplacedNotReinforced) {
    Snapshot seen;
    seen.twin = stored("likes tea");
    seen.twin->memory.expires_at = kNow - std::chrono::hours(1);
    seen.twin->memory.importance = 0.9;
    auto effect = add_command(call_of("ada"), add_of("likes tea"), kOther, {})->decide(seen);
    EXPECT_EQ(effect->outcome.kind, OutcomeKind::kCreated);
    EXPECT_EQ(effect->put->memory.importance, 0.5);
    EXPECT_FALSE(effect->put->memory.expires_at);
}

TEST(Add, ChecksWhoMayWriteWhere) {
    AddRequest request = add_of("x");
    request.identifiers = user("bob");
    EXPECT_EQ(add_command(call_of("ada"), request, kFresh, {}).error().code, Code::kForbidden);
    EXPECT_TRUE(add_command(call_of("ada", {security::Role::kTenantAdmin}), request, kFresh, {}));
    EXPECT_EQ(add_command(call_of("ada", {security::Role::kViewer}), add_of("x"), kFresh, {})
                  .error()
                  .code,
              Code::kForbidden);
    request.identifiers = {};
    EXPECT_EQ(add_command(call_of("ada"), request, kFresh, {}).error().machine_code(),
              "missing_identifier");
    AddRequest late = add_of("x");
    late.expires_at = kNow;
    EXPECT_EQ(add_command(call_of("ada"), late, kFresh, {}).error().machine_code(),
              "already_expired");
}

TEST(Update, MergesMetadataAndMovesTheVersion) {
    MemoryRecord record = stored("likes tea");
    record.memory.metadata["a"] = 1;
    record.memory.metadata["b"] = 2;
    UpdateRequest request;
    request.id = kFresh;
    request.metadata = {{"a", nullptr}, {"c", 3}};
    auto effect = update_command(call_of("ada"), request, {}).decide(seeing(record));
    ASSERT_TRUE(effect);
    const auto& metadata = effect->put->memory.metadata;
    EXPECT_FALSE(metadata.contains("a"));
    EXPECT_EQ(metadata.at("b"), 2);
    EXPECT_EQ(metadata.at("c"), 3);
    EXPECT_EQ(effect->put->memory.version, 2);
    EXPECT_GT(effect->put->memory.updated_at, record.memory.updated_at);
}

TEST(Update, TakesTheNewVectorOnlyWithNewContent) {
    MemoryRecord record = stored("likes tea");
    record.embedding = retrieval::PackedVector{{1, 2, 3}};
    UpdateRequest same;
    same.id = kFresh;
    same.content = "likes tea";
    same.importance = 0.9;
    auto kept = update_command(call_of("ada"), same, {{{9}}, "new"}).decide(seeing(record));
    EXPECT_EQ(kept->put->embedding, record.embedding);
    UpdateRequest other = same;
    other.content = "likes coffee";
    auto moved = update_command(call_of("ada"), other, {{{9}}, "new"}).decide(seeing(record));
    EXPECT_EQ(moved->put->embedder, "new");
    EXPECT_EQ(moved->put->content_hash, content_hash("likes coffee"));
}

TEST(Update, NothingNewIsNoVersion) {
    UpdateRequest request;
    request.id = kFresh;
    request.importance = 0.5;
    auto effect = update_command(call_of("ada"), request, {}).decide(seeing(stored("x")));
    EXPECT_EQ(effect->outcome.kind, OutcomeKind::kUnchanged);
    EXPECT_FALSE(effect->put);
}

TEST(Update, RefusesAnotherVersionWithBothInTheError) {
    UpdateRequest request;
    request.id = kFresh;
    request.importance = 0.7;
    request.if_version = 4;
    auto effect = update_command(call_of("ada"), request, {}).decide(seeing(stored("x")));
    ASSERT_FALSE(effect);
    EXPECT_EQ(effect.error().code, Code::kConflict);
    const json::Object body = to_json(effect.error());
    EXPECT_EQ(body.at("expectedVersion"), 4);
    EXPECT_EQ(body.at("currentVersion"), 1);
}

TEST(Update, ContentOfAnotherMemoryIsAConflict) {
    UpdateRequest request;
    request.id = kFresh;
    request.content = "taken";
    Snapshot seen = seeing(stored("x"));
    seen.twin = stored("taken");
    seen.twin->memory.id = kOther;
    auto effect = update_command(call_of("ada"), request, {}).decide(seen);
    ASSERT_FALSE(effect);
    EXPECT_EQ(effect.error().machine_code(), "duplicate_content");
}

TEST(Update, WhatIsGoneIsNotFound) {
    UpdateRequest request;
    request.id = kFresh;
    request.importance = 0.7;
    const Command command = update_command(call_of("ada"), request, {});
    EXPECT_EQ(command.decide({}).error().code, Code::kNotFound);
    MemoryRecord deleted = stored("x");
    deleted.deleted_at = kNow;
    EXPECT_EQ(command.decide(seeing(deleted)).error().code, Code::kNotFound);
    MemoryRecord expired = stored("x");
    expired.memory.expires_at = kNow;
    EXPECT_EQ(command.decide(seeing(expired)).error().code, Code::kNotFound);
    EXPECT_EQ(update_command(call_of("eve"), request, {}).decide(seeing(stored("x"))).error().code,
              Code::kForbidden);
}

TEST(Delete, IsTheSameTheSecondTime) {
    const Command command = delete_command(call_of("ada"), {kFresh, std::nullopt});
    auto first = command.decide(seeing(stored("x")));
    ASSERT_TRUE(first && first->put);
    EXPECT_EQ(first->put->deleted_at, first->put->memory.updated_at);
    auto second = command.decide(seeing(*first->put));
    ASSERT_TRUE(second);
    EXPECT_FALSE(second->put);
    EXPECT_TRUE(command.decide({}));
}

TEST(Feedback, MovesTheImportanceHalfWayAndCounts) {
    FeedbackRequest request{kFresh, "outdated", -1, std::nullopt};
    auto effect = feedback_command(call_of("ada"), request).decide(seeing(stored("x")));
    ASSERT_TRUE(effect);
    EXPECT_DOUBLE_EQ(effect->put->memory.importance, 0);  // (0.5 - 1) / 2, held at 0
    auto again = feedback_command(call_of("ada"), {kFresh, "outdated", 1, std::nullopt})
                     .decide(seeing(*effect->put));
    EXPECT_DOUBLE_EQ(again->put->memory.importance, 0.5);
    EXPECT_EQ(again->put->memory.metadata.at("feedback").at("outdated"), 2);
}

TEST(Promote, GoesOnlyUpwardsAndNamesItsSource) {
    const MemoryRecord source = stored("likes tea");
    PromoteRequest request{kFresh, Layer::kTeam, {}};
    EXPECT_EQ(
        promote_command(call_of("ada"), request, source.memory, kOther, {}).error().machine_code(),
        "missing_identifier");
    request.identifiers.team_id = "red";
    auto command = promote_command(call_of("ada"), request, source.memory, kOther, {});
    ASSERT_TRUE(command);
    auto effect = command->decide(seeing(source));
    ASSERT_TRUE(effect);
    EXPECT_EQ(effect->put->memory.layer, Layer::kTeam);
    EXPECT_EQ(effect->put->memory.metadata.at("source").at("reference").as_string(), kFresh.str());
    request.target = Layer::kUser;
    EXPECT_EQ(
        promote_command(call_of("ada"), request, source.memory, kOther, {}).error().machine_code(),
        "not_broader");
    MemoryRecord changed = stored("likes coffee");
    EXPECT_EQ(command->decide(seeing(changed)).error().machine_code(), "changed_meanwhile");
}

TEST(Session, StartsOnceAndEndsOnce) {
    StartSessionRequest start{"s1", user("ada"), {}};
    auto effect = start_session_command(call_of("ada"), start).decide({});
    ASSERT_TRUE(effect && effect->session);
    Snapshot seen;
    seen.session = effect->session;
    EXPECT_EQ(start_session_command(call_of("ada"), start).decide(seen).error().machine_code(),
              "session_exists");
    auto ended = end_session_command(call_of("ada"), "s1").decide(seen);
    EXPECT_EQ(ended->session->ended_at, kNow);
    seen.session = ended->session;
    EXPECT_EQ(end_session_command(call_of("ada"), "s1").decide(seen)->outcome.kind,
              OutcomeKind::kUnchanged);
    EXPECT_EQ(end_session_command(call_of("ada"), "s1").decide({}).error().code, Code::kNotFound);
}

TEST(Import, BringsBackWhatWasExported) {
    const MemoryRecord record = stored("likes tea");
    MemoryVersion one{record.memory, Subject("ada"), ChangeKind::kAdded, kNow,
                      kNow + std::chrono::seconds(1)};
    MemoryVersion two = one;
    two.memory.version = 2;
    two.memory.content = "likes coffee";
    two.memory.updated_at = kNow + std::chrono::seconds(1);
    two.change = ChangeKind::kUpdated;
    auto line = parse_export_line(export_line({one, two}), TenantId("t"), {});
    ASSERT_TRUE(line) << line.error().message;
    EXPECT_EQ(line->present.memory, two.memory);
    ASSERT_EQ(line->older.size(), 1U);
    EXPECT_EQ(line->older[0].memory, one.memory);
    EXPECT_EQ(line->present.scope, record.scope);
    auto effect = import_command(call_of("ada"), line->present, line->older).decide({});
    EXPECT_EQ(effect->outcome.kind, OutcomeKind::kCreated);
    auto again =
        import_command(call_of("ada"), line->present, line->older).decide(seeing(line->present));
    EXPECT_EQ(again->outcome.kind, OutcomeKind::kUnchanged);
    EXPECT_FALSE(again->put);
}

TEST(Import, RefusesWhatTheApiWouldRefuse) {
    const auto reason = [](std::string_view line) {
        auto parsed = parse_export_line(line, TenantId("t"), {});
        return parsed ? "ok" : std::string(parsed.error().machine_code());
    };
    EXPECT_EQ(reason("{"), "malformed_json");
    EXPECT_EQ(reason("{}"), "missing_field");
    EXPECT_EQ(reason(R"({"format":"x","versions":[{}]})"), "unknown_format");
    EXPECT_EQ(reason(R"({"format":"aeterna.memory.v1","versions":[]})"), "missing_field");
    EXPECT_EQ(
        reason(
            R"({"format":"aeterna.memory.v1","versions":[{"content":"x","layer":"user","tenant":"other"}]})"),
        "missing_field");
}

}  // namespace
}  // namespace aeterna::memory
