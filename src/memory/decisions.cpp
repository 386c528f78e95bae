#include "memory/decisions.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "memory/access.hpp"
#include "memory/codec.hpp"

namespace aeterna::memory {

namespace {

constexpr double kReinforcement = 0.1;

void complete(boost::json::object& metadata) {
    if (!metadata.contains("tags")) metadata["tags"] = boost::json::array();
    if (!metadata.contains("source")) metadata["source"] = boost::json::object();
}

Error not_found(const MemoryId& id) {
    return Error(Code::kNotFound, "memory_not_found",
                 fmt::format("there is no memory {}", id.str()));
}

bool expired(const Memory& memory, Timestamp now) {
    return memory.expires_at && *memory.expires_at <= now;
}

/// The live memory that a call by id is about, if the caller may change it.
result<MemoryRecord> subject_of(const Call& call, const MemoryId& id, const Snapshot& seen,
                                const std::optional<std::int64_t>& if_version) {
    if (!seen.memory || seen.memory->deleted_at || expired(seen.memory->memory, call.now))
        return fail(not_found(id));
    const Memory& memory = seen.memory->memory;
    AETERNA_TRY(authorize(call.caller, memory.layer, memory.identifiers, Access::kWrite));
    if (if_version && *if_version != memory.version) {
        return fail(
            Error(Code::kConflict, "version_mismatch",
                  fmt::format(
                      "the memory is at version {}, not {}: read it again and repeat the change",
                      memory.version, *if_version))
                .with("expectedVersion", *if_version)
                .with("currentVersion", memory.version));
    }
    return *seen.memory;
}

/// The next version of a record, as this caller makes it now.
MemoryRecord next_version(const Call& call, MemoryRecord record, ChangeKind change) {
    ++record.memory.version;
    // Versions of one memory never share a moment, or asOf could not tell them apart.
    record.memory.updated_at =
        std::max(call.now, record.memory.updated_at + std::chrono::microseconds(1));
    record.actor = call.caller.subject;
    record.change = change;
    return record;
}

Effect changed(MemoryRecord record, OutcomeKind kind) {
    Effect effect;
    effect.outcome = {kind, record.memory, std::nullopt};
    effect.put = std::move(record);
    return effect;
}

Effect reinforced(const Call& call, MemoryRecord twin, const std::optional<Timestamp>& expires_at) {
    MemoryRecord record = next_version(call, std::move(twin), ChangeKind::kReinforced);
    Memory& memory = record.memory;
    memory.importance += kReinforcement * (1 - memory.importance);
    if (memory.expires_at) {
        memory.expires_at =
            expires_at ? std::optional(std::max(*memory.expires_at, *expires_at)) : std::nullopt;
    }
    return changed(std::move(record), OutcomeKind::kReinforced);
}

/// Stores `fresh`, or reinforces its twin. An expired twin that no sweep has met yet is replaced in
/// place.
Effect insert_or_reinforce(const Call& call, MemoryRecord fresh,
                           const std::optional<MemoryRecord>& twin) {
    if (!twin) return changed(std::move(fresh), OutcomeKind::kCreated);
    if (!expired(twin->memory, call.now)) return reinforced(call, *twin, fresh.memory.expires_at);
    const ChangeKind change = fresh.change;
    MemoryRecord revived = next_version(call, *twin, change);
    revived.memory.metadata = std::move(fresh.memory.metadata);
    revived.memory.importance = fresh.memory.importance;
    revived.memory.expires_at = fresh.memory.expires_at;
    return changed(std::move(revived), OutcomeKind::kCreated);
}

MemoryRecord fresh_record(const Call& call, MemoryId id, Scope scope, AddRequest request,
                          Meaning meaning, ChangeKind change) {
    MemoryRecord record;
    record.scope = std::move(scope);
    record.content_hash = content_hash(request.content);
    record.memory = {id,
                     std::move(request.content),
                     request.layer,
                     std::move(request.identifiers),
                     std::move(request.metadata),
                     request.importance.value_or(0.5),
                     1,
                     call.now,
                     call.now,
                     request.expires_at};
    complete(record.memory.metadata);
    record.actor = call.caller.subject;
    record.change = change;
    record.embedding = std::move(meaning.vector);
    record.embedder = std::move(meaning.embedder);
    return record;
}

result<void> check_expiry(const std::optional<Timestamp>& expires_at, Timestamp now) {
    if (expires_at && *expires_at <= now) {
        return fail(Code::kRuleViolation, "already_expired",
                    fmt::format("expiresAt {} has passed; it is now {}", to_rfc3339(*expires_at),
                                to_rfc3339(now)));
    }
    return {};
}

}  // namespace

result<Command> add_command(const Call& call, AddRequest request, MemoryId fresh_id,
                            Meaning meaning) {
    AETERNA_TRY(check_expiry(request.expires_at, call.now));
    auto scope = scope_of(call.caller.tenant, request.layer, request.identifiers);
    if (!scope) return tl::unexpected(std::move(scope).error());
    AETERNA_TRY(authorize(call.caller, request.layer, request.identifiers, Access::kWrite));
    MemoryRecord fresh = fresh_record(call, fresh_id, std::move(*scope), std::move(request),
                                      std::move(meaning), ChangeKind::kAdded);
    Command command;
    command.reads.twin_hash = fresh.content_hash;
    command.reads.twin_scope = fresh.scope;
    command.decide = [call, fresh = std::move(fresh)](const Snapshot& seen) -> result<Effect> {
        return insert_or_reinforce(call, fresh, seen.twin);
    };
    return command;
}

Command update_command(const Call& call, UpdateRequest request, Meaning meaning) {
    Command command;
    command.reads.memory = request.id;
    if (request.content) command.reads.twin_hash = content_hash(*request.content);
    command.decide = [call, request = std::move(request),
                      meaning = std::move(meaning)](const Snapshot& seen) -> result<Effect> {
        auto present = subject_of(call, request.id, seen, request.if_version);
        if (!present) return tl::unexpected(std::move(present).error());
        if (request.expires_at) AETERNA_TRY(check_expiry(*request.expires_at, call.now));
        MemoryRecord record = *present;
        Memory& memory = record.memory;
        if (request.content && *request.content != memory.content) {
            if (seen.twin && seen.twin->memory.id != memory.id) {
                return fail(Error(Code::kConflict, "duplicate_content",
                                  fmt::format("memory {} of this scope already has this content",
                                              seen.twin->memory.id.str()))
                                .with("memoryId", seen.twin->memory.id.str()));
            }
            memory.content = *request.content;
            record.content_hash = content_hash(memory.content);
            record.embedding = meaning.vector;
            record.embedder = meaning.embedder;
        }
        if (request.metadata) {
            for (const auto& member : *request.metadata) {
                if (member.value().is_null()) {
                    memory.metadata.erase(member.key());
                } else {
                    memory.metadata[member.key()] = member.value();
                }
            }
            complete(memory.metadata);
        }
        if (request.importance) memory.importance = *request.importance;
        if (request.expires_at) memory.expires_at = *request.expires_at;
        if (memory == present->memory) {
            Effect effect;
            effect.outcome = {OutcomeKind::kUnchanged, memory, std::nullopt};
            return effect;
        }
        return changed(next_version(call, std::move(record), ChangeKind::kUpdated),
                       OutcomeKind::kChanged);
    };
    return command;
}

Command delete_command(const Call& call, DeleteRequest request) {
    Command command;
    command.reads.memory = request.id;
    command.decide = [call, request](const Snapshot& seen) -> result<Effect> {
        Effect gone;
        gone.outcome.kind = OutcomeKind::kGone;
        if (!seen.memory || seen.memory->deleted_at) return gone;
        const Memory& memory = seen.memory->memory;
        AETERNA_TRY(authorize(call.caller, memory.layer, memory.identifiers, Access::kWrite));
        if (expired(memory, call.now)) return gone;
        auto present = subject_of(call, request.id, seen, request.if_version);
        if (!present) return tl::unexpected(std::move(present).error());
        MemoryRecord record = next_version(call, std::move(*present), ChangeKind::kDeleted);
        record.deleted_at = record.memory.updated_at;
        gone.put = std::move(record);
        return gone;
    };
    return command;
}

Command feedback_command(const Call& call, FeedbackRequest request) {
    Command command;
    command.reads.memory = request.id;
    command.decide = [call, request = std::move(request)](const Snapshot& seen) -> result<Effect> {
        auto present = subject_of(call, request.id, seen, request.if_version);
        if (!present) return tl::unexpected(std::move(present).error());
        MemoryRecord record = next_version(call, std::move(*present), ChangeKind::kFeedback);
        Memory& memory = record.memory;
        memory.importance = std::clamp((memory.importance + request.score) / 2, 0.0, 1.0);
        auto& feedback = memory.metadata["feedback"];
        if (!feedback.is_object()) feedback.emplace_object();
        auto& count = feedback.get_object()[request.reward_type];
        count = count.is_int64() ? count.get_int64() + 1 : 1;
        return changed(std::move(record), OutcomeKind::kChanged);
    };
    return command;
}

result<Command> promote_command(const Call& call, PromoteRequest request, const Memory& source,
                                MemoryId fresh_id, Meaning meaning) {
    AETERNA_TRY(authorize(call.caller, source.layer, source.identifiers, Access::kRead));
    if (request.target <= source.layer) {
        return fail(Code::kRuleViolation, "not_broader",
                    fmt::format("targetLayer {} is not broader than {}", name_of(request.target),
                                name_of(source.layer)));
    }
    Identifiers identifiers = source.identifiers;
    for (const auto part : {&Identifiers::agent_id, &Identifiers::user_id, &Identifiers::session_id,
                            &Identifiers::project_id, &Identifiers::team_id, &Identifiers::org_id,
                            &Identifiers::company_id}) {
        if (!(request.identifiers.*part).empty()) identifiers.*part = request.identifiers.*part;
    }
    auto scope = scope_of(call.caller.tenant, request.target, identifiers);
    if (!scope) return tl::unexpected(std::move(scope).error());
    AETERNA_TRY(authorize(call.caller, request.target, identifiers, Access::kWrite));
    AddRequest copy;
    copy.content = source.content;
    copy.layer = request.target;
    copy.identifiers = std::move(identifiers);
    copy.metadata = source.metadata;
    copy.metadata.erase("feedback");
    copy.metadata["source"] = {{"type", "promotion"}, {"reference", source.id.str()}};
    copy.importance = source.importance;
    MemoryRecord fresh = fresh_record(call, fresh_id, std::move(*scope), std::move(copy),
                                      std::move(meaning), ChangeKind::kPromoted);
    Command command;
    command.reads.memory = source.id;
    command.reads.twin_hash = fresh.content_hash;
    command.reads.twin_scope = fresh.scope;
    command.decide = [call, fresh = std::move(fresh),
                      id = source.id](const Snapshot& seen) -> result<Effect> {
        if (!seen.memory || seen.memory->deleted_at || expired(seen.memory->memory, call.now))
            return fail(not_found(id));
        if (seen.memory->content_hash != fresh.content_hash) {
            return fail(Code::kConflict, "changed_meanwhile",
                        "the memory changed while it was being promoted: repeat the request");
        }
        return insert_or_reinforce(call, fresh, seen.twin);
    };
    return command;
}

Command start_session_command(const Call& call, StartSessionRequest request) {
    Command command;
    command.reads.session = request.id;
    command.decide = [call, request = std::move(request)](const Snapshot& seen) -> result<Effect> {
        AETERNA_TRY(authorize(call.caller, Layer::kSession, request.identifiers, Access::kWrite));
        if (seen.session) {
            return fail(Code::kConflict, "session_exists",
                        fmt::format("session {} was started at {}{}", request.id,
                                    to_rfc3339(seen.session->started_at),
                                    seen.session->ended_at ? " and has ended" : ""));
        }
        Effect effect;
        effect.session =
            Session{request.id, request.identifiers, request.metadata, call.caller.subject,
                    call.now,   std::nullopt};
        effect.outcome = {OutcomeKind::kCreated, std::nullopt, effect.session};
        return effect;
    };
    return command;
}

Command end_session_command(const Call& call, std::string id) {
    Command command;
    command.reads.session = id;
    command.decide = [call, id = std::move(id)](const Snapshot& seen) -> result<Effect> {
        if (!seen.session) {
            return fail(Code::kNotFound, "session_not_found",
                        fmt::format("there is no session {}", id));
        }
        AETERNA_TRY(
            authorize(call.caller, Layer::kSession, seen.session->identifiers, Access::kWrite));
        Effect effect;
        if (seen.session->ended_at) {
            effect.outcome = {OutcomeKind::kUnchanged, std::nullopt, seen.session};
            return effect;
        }
        effect.session = *seen.session;
        effect.session->ended_at = call.now;
        effect.outcome = {OutcomeKind::kChanged, std::nullopt, effect.session};
        return effect;
    };
    return command;
}

Command import_command(const Call& call, MemoryRecord present, std::vector<MemoryRecord> older) {
    Command command;
    command.reads.memory = present.memory.id;
    command.reads.twin_hash = present.content_hash;
    command.reads.twin_scope = present.scope;
    command.decide = [call, present = std::move(present),
                      older = std::move(older)](const Snapshot& seen) -> result<Effect> {
        AETERNA_TRY(authorize(call.caller, present.memory.layer, present.memory.identifiers,
                              Access::kWrite));
        Effect effect;
        effect.outcome = {OutcomeKind::kUnchanged, present.memory, std::nullopt};
        if (seen.memory) {
            if (!seen.memory->deleted_at && seen.memory->memory == present.memory) return effect;
            return fail(Code::kConflict, "memory_exists",
                        fmt::format("memory {} is already here at version {}",
                                    present.memory.id.str(), seen.memory->memory.version));
        }
        if (seen.twin) {
            return fail(Error(Code::kConflict, "duplicate_content",
                              fmt::format("memory {} of this scope already has this content",
                                          seen.twin->memory.id.str()))
                            .with("memoryId", seen.twin->memory.id.str()));
        }
        effect.put = present;
        effect.older = older;
        effect.outcome.kind = OutcomeKind::kCreated;
        return effect;
    };
    return command;
}

}  // namespace aeterna::memory
