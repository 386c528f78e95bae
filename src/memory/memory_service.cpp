#include "memory/memory_service.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "memory/access.hpp"
#include "memory/codec.hpp"

namespace aeterna::memory {

namespace {

constexpr std::size_t kExportChunk = 200;
constexpr std::size_t kPromotedPerSession = 500;
constexpr std::size_t kReportedProblems = 100;

json::Object body_of_write(const Outcome& outcome) {
    json::Object body;
    const Memory& memory = *outcome.memory;
    body["memoryId"] = memory.id.str();
    body["layer"] = name_of(memory.layer);
    body["version"] = memory.version;
    if (outcome.kind == OutcomeKind::kReinforced) body["reinforced"] = true;
    body["memory"] = to_json(memory);
    return body;
}

/// The reply to one write that adds: 201, or 200 when it met its twin.
Reply reply_to_add(const Outcome& outcome) {
    return {outcome.kind == OutcomeKind::kCreated ? 201 : 200, json::write(body_of_write(outcome)),
            outcome.memory->version};
}

Reply reply_to_change(const Outcome& outcome) {
    return {200, json::write(to_json(*outcome.memory)), outcome.memory->version};
}

/// For units of one command: its error is the unit's.
std::function<result<Reply>(std::span<const result<Outcome>>)> single(
    Reply (*render)(const Outcome&)) {
    return [render](std::span<const result<Outcome>> outcomes) -> result<Reply> {
        const result<Outcome>& outcome = outcomes.front();
        if (!outcome) return tl::unexpected(outcome.error());
        return render(*outcome);
    };
}

json::Object batch_item(std::size_t index, const result<Outcome>& outcome) {
    json::Object item;
    item["index"] = index;
    if (!outcome) {
        item["status"] = traits(outcome.error().code).status;
        item["body"] = to_json(outcome.error());
        return item;
    }
    switch (outcome->kind) {
        case OutcomeKind::kGone:
            item["status"] = 204;
            item["body"] = nullptr;
            break;
        case OutcomeKind::kCreated:
        case OutcomeKind::kReinforced:
            item["status"] = outcome->kind == OutcomeKind::kCreated ? 201 : 200;
            item["body"] = body_of_write(*outcome);
            break;
        case OutcomeKind::kChanged:
        case OutcomeKind::kUnchanged:
            item["status"] = 200;
            item["body"] = to_json(*outcome->memory);
            break;
    }
    return item;
}

Error memory_not_found(const MemoryId& id) {
    return Error(Code::kNotFound, "memory_not_found",
                 fmt::format("there is no memory {}", id.str()));
}

}  // namespace

task<Meaning> MemoryService::meaning_of(std::string content, Deadline deadline) {
    auto vectors = co_await parts_.embedder.embed({std::move(content)}, deadline);
    // A write does not fail because an embedder is away: the memory is found by its words until it
    // is embedded.
    if (!vectors || vectors->size() != 1) co_return Meaning{};
    co_return Meaning{std::move(vectors->front()), parts_.embedder.identity().name};
}

task<result<Committed>> MemoryService::execute(
    WriteContext context, Call call, std::vector<Command> commands,
    std::function<result<Reply>(std::span<const result<Outcome>>)> finish) {
    UnitOfWork work{call.caller.tenant, call.now, std::move(context.claim), std::move(commands),
                    std::move(finish)};
    co_return co_await parts_.store.execute(std::move(work), context.deadline);
}

task<result<Committed>> MemoryService::add(AddRequest request, WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    Meaning meaning = co_await meaning_of(request.content, context.deadline);
    const MemoryId id{parts_.ids.next(call.now)};
    auto command = add_command(call, std::move(request), id, std::move(meaning));
    if (!command) co_return tl::unexpected(std::move(command).error());
    std::vector<Command> commands;
    commands.push_back(std::move(*command));
    co_return co_await execute(std::move(context), call, std::move(commands), single(reply_to_add));
}

task<result<Committed>> MemoryService::update(UpdateRequest request, WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    Meaning meaning;
    if (request.content) meaning = co_await meaning_of(*request.content, context.deadline);
    std::vector<Command> commands;
    commands.push_back(update_command(call, std::move(request), std::move(meaning)));
    co_return co_await execute(std::move(context), call, std::move(commands),
                               single(reply_to_change));
}

task<result<Committed>> MemoryService::remove(DeleteRequest request, WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    std::vector<Command> commands;
    commands.push_back(delete_command(call, request));
    co_return co_await execute(std::move(context), call, std::move(commands),
                               single([](const Outcome&) { return Reply{204, "", 0}; }));
}

task<result<Committed>> MemoryService::feedback(FeedbackRequest request, WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    std::vector<Command> commands;
    commands.push_back(feedback_command(call, std::move(request)));
    co_return co_await execute(std::move(context), call, std::move(commands),
                               single(reply_to_change));
}

task<result<Committed>> MemoryService::promote(PromoteRequest request, WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    auto source = co_await parts_.store.find(call.caller.tenant, request.id, call.now, std::nullopt,
                                             context.deadline);
    if (!source) co_return tl::unexpected(std::move(source).error());
    if (!*source) co_return fail(memory_not_found(request.id));
    Meaning meaning = co_await meaning_of((*source)->content, context.deadline);
    const MemoryId id{parts_.ids.next(call.now)};
    auto command = promote_command(call, std::move(request), **source, id, std::move(meaning));
    if (!command) co_return tl::unexpected(std::move(command).error());
    std::vector<Command> commands;
    commands.push_back(std::move(*command));
    co_return co_await execute(std::move(context), call, std::move(commands), single(reply_to_add));
}

task<result<Committed>> MemoryService::batch(std::vector<BatchItem> items, WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    std::vector<std::string> texts;
    for (const BatchItem& item : items) {
        if (!item) continue;
        if (const auto* add = std::get_if<AddRequest>(&*item)) texts.push_back(add->content);
        if (const auto* update = std::get_if<UpdateRequest>(&*item);
            update != nullptr && update->content) {
            texts.push_back(*update->content);
        }
    }
    std::vector<retrieval::PackedVector> vectors;
    if (!texts.empty()) {
        const std::size_t wanted = texts.size();
        auto made = co_await parts_.embedder.embed(std::move(texts), context.deadline);
        vectors = made && made->size() == wanted ? std::move(*made)
                                                 : std::vector<retrieval::PackedVector>(wanted);
    }
    std::size_t used = 0;
    const auto next_meaning = [&] {
        Meaning meaning{std::move(vectors[used++]), {}};
        if (!meaning.vector.empty()) meaning.embedder = parts_.embedder.identity().name;
        return meaning;
    };
    std::vector<Command> commands;
    commands.reserve(items.size());
    for (BatchItem& item : items) {
        auto command = [&]() -> result<Command> {
            if (!item) return tl::unexpected(std::move(item).error());
            if (auto* add = std::get_if<AddRequest>(&*item)) {
                return add_command(call, std::move(*add), MemoryId{parts_.ids.next(call.now)},
                                   next_meaning());
            }
            if (auto* update = std::get_if<UpdateRequest>(&*item)) {
                Meaning meaning = update->content ? next_meaning() : Meaning{};
                return update_command(call, std::move(*update), std::move(meaning));
            }
            return delete_command(call, std::get<DeleteRequest>(*item));
        }();
        if (command) {
            commands.push_back(std::move(*command));
        } else {
            commands.push_back(
                {{}, [error = std::move(command).error()](const Snapshot&) -> result<Effect> {
                     return tl::unexpected(error);
                 }});
        }
    }
    auto finish = [](std::span<const result<Outcome>> outcomes) -> result<Reply> {
        json::Array list;
        list.reserve(outcomes.size());
        for (std::size_t i = 0; i < outcomes.size(); ++i)
            list.push_back(batch_item(i, outcomes[i]));
        return Reply{200, json::write(json::Object{{"items", std::move(list)}}), 0};
    };
    co_return co_await execute(std::move(context), call, std::move(commands), std::move(finish));
}

task<result<Committed>> MemoryService::start_session(StartSessionRequest request,
                                                     WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    if (request.id.empty()) request.id = parts_.ids.next(call.now).str();
    request.identifiers.session_id = request.id;
    auto scope = scope_of(call.caller.tenant, Layer::kSession, request.identifiers);
    if (!scope) co_return tl::unexpected(std::move(scope).error());
    std::vector<Command> commands;
    commands.push_back(start_session_command(call, std::move(request)));
    co_return co_await execute(std::move(context), call, std::move(commands),
                               single([](const Outcome& outcome) {
                                   return Reply{201, json::write(to_json(*outcome.session)), 0};
                               }));
}

task<result<Committed>> MemoryService::end_session(EndSessionRequest request,
                                                   WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    const TenantId tenant = call.caller.tenant;
    auto session = co_await parts_.store.find_session(tenant, request.id, context.deadline);
    if (!session) co_return tl::unexpected(std::move(session).error());
    std::vector<Command> commands;
    commands.push_back(end_session_command(call, request.id));
    if (*session && !(*session)->ended_at && request.promote_to) {
        auto scope = scope_of(tenant, Layer::kSession, (*session)->identifiers);
        if (!scope) co_return tl::unexpected(std::move(scope).error());
        Filters filters;
        filters.min_importance = request.min_importance;
        auto page = co_await parts_.store.list(
            {std::move(*scope), filters, call.now, kPromotedPerSession, std::nullopt},
            context.deadline);
        if (!page) co_return tl::unexpected(std::move(page).error());
        for (const Memory& memory : page->items) {
            Meaning meaning = co_await meaning_of(memory.content, context.deadline);
            PromoteRequest promote{memory.id, *request.promote_to, request.identifiers};
            auto command = promote_command(call, std::move(promote), memory,
                                           MemoryId{parts_.ids.next(call.now)}, std::move(meaning));
            if (!command) co_return tl::unexpected(std::move(command).error());
            commands.push_back(std::move(*command));
        }
    }
    auto finish = [](std::span<const result<Outcome>> outcomes) -> result<Reply> {
        if (!outcomes.front()) return tl::unexpected(outcomes.front().error());
        json::Object body = to_json(*outcomes.front()->session);
        json::Array promoted;
        for (const auto& outcome : outcomes.subspan(1)) {
            if (outcome) promoted.push_back(body_of_write(*outcome));
        }
        body["promoted"] = std::move(promoted);
        return Reply{200, json::write(body), 0};
    };
    co_return co_await execute(std::move(context), call, std::move(commands), std::move(finish));
}

task<result<ImportReport>> MemoryService::import(std::vector<std::string> lines,
                                                 WriteContext context) {
    const Call call{context.caller, parts_.clock.now()};
    if (!call.caller.administers_tenant()) {
        co_return fail(Code::kForbidden, "needs_tenant_admin",
                       "an import needs the role TenantAdmin");
    }
    ImportReport report;
    const auto failed = [&](std::size_t line, const Error& error) {
        ++report.failed;
        if (report.problems.size() < kReportedProblems) report.problems.push_back({line, error});
    };
    std::vector<Command> commands;
    std::vector<std::size_t> line_of;
    std::vector<std::string> texts;
    std::vector<ImportLine> read;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (trim(lines[i]).empty()) continue;
        auto line = parse_export_line(lines[i], call.caller.tenant, limits_);
        if (!line) {
            failed(i + 1, line.error());
            continue;
        }
        texts.push_back(line->present.memory.content);
        line_of.push_back(i + 1);
        read.push_back(std::move(*line));
    }
    if (read.empty()) co_return report;
    auto vectors = co_await parts_.embedder.embed(std::move(texts), context.deadline);
    for (std::size_t i = 0; i < read.size(); ++i) {
        if (vectors && vectors->size() == read.size()) {
            read[i].present.embedding = std::move((*vectors)[i]);
            read[i].present.embedder = parts_.embedder.identity().name;
        }
        commands.push_back(
            import_command(call, std::move(read[i].present), std::move(read[i].older)));
    }
    // `finish` runs before this coroutine goes on, so it may fill the report in place.
    auto outcomes = std::make_shared<std::vector<result<Outcome>>>();
    auto committed =
        co_await execute(std::move(context), call, std::move(commands),
                         [outcomes](std::span<const result<Outcome>> all) -> result<Reply> {
                             outcomes->assign(all.begin(), all.end());
                             return Reply{200, "", 0};
                         });
    if (!committed) co_return tl::unexpected(std::move(committed).error());
    for (std::size_t i = 0; i < outcomes->size(); ++i) {
        const auto& outcome = (*outcomes)[i];
        if (!outcome) {
            failed(line_of[i], outcome.error());
        } else if (outcome->kind == OutcomeKind::kCreated) {
            ++report.imported;
        } else {
            ++report.skipped;
        }
    }
    co_return report;
}

task<result<Memory>> MemoryService::get(MemoryId id, std::optional<Timestamp> as_of,
                                        ReadContext context) {
    auto found = co_await parts_.store.find(context.caller.tenant, id, parts_.clock.now(), as_of,
                                            context.deadline);
    if (!found) co_return tl::unexpected(std::move(found).error());
    if (!*found) co_return fail(memory_not_found(id));
    AETERNA_CO_TRY(
        authorize(context.caller, (*found)->layer, (*found)->identifiers, Access::kRead));
    co_return std::move(**found);
}

task<result<std::vector<MemoryVersion>>> MemoryService::history(MemoryId id, ReadContext context) {
    auto versions = co_await parts_.store.history(context.caller.tenant, id, context.deadline);
    if (!versions) co_return tl::unexpected(std::move(versions).error());
    if (versions->empty()) co_return fail(memory_not_found(id));
    const Memory& memory = versions->back().memory;
    AETERNA_CO_TRY(authorize(context.caller, memory.layer, memory.identifiers, Access::kRead));
    co_return std::move(*versions);
}

task<result<Page>> MemoryService::list(ListRequest request, ReadContext context) {
    auto scope = scope_of(context.caller.tenant, request.layer, request.identifiers);
    if (!scope) co_return tl::unexpected(std::move(scope).error());
    AETERNA_CO_TRY(authorize(context.caller, request.layer, request.identifiers, Access::kRead));
    co_return co_await parts_.store.list({std::move(*scope), std::move(request.filters),
                                          parts_.clock.now(), request.limit, request.after},
                                         context.deadline);
}

task<result<MemoryService::ExportChunk>> MemoryService::export_chunk(std::optional<MemoryId> after,
                                                                     ReadContext context) {
    if (!context.caller.administers_tenant()) {
        co_return fail(Code::kForbidden, "needs_tenant_admin",
                       "an export needs the role TenantAdmin");
    }
    auto records =
        co_await parts_.store.scan(context.caller.tenant, after, kExportChunk, context.deadline);
    if (!records) co_return tl::unexpected(std::move(records).error());
    ExportChunk chunk;
    for (const MemoryRecord& record : *records) {
        auto versions = co_await parts_.store.history(context.caller.tenant, record.memory.id,
                                                      context.deadline);
        if (!versions && versions.error().code == Code::kCorrupt) {
            // An old version is damaged; what the memory says now is not lost with it.
            versions = std::vector<MemoryVersion>{{record.memory, record.actor, record.change,
                                                   record.memory.updated_at, std::nullopt}};
        }
        if (!versions) co_return tl::unexpected(std::move(versions).error());
        if (!versions->empty()) chunk.lines.push_back(export_line(*versions));
    }
    if (records->size() == kExportChunk) chunk.next = records->back().memory.id;
    co_return chunk;
}

}  // namespace aeterna::memory
