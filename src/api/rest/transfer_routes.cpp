#include <fmt/format.h>

#include "api/rest/memory_routes.hpp"
#include "api/rest/reply.hpp"
#include "base/text.hpp"
#include "memory/codec.hpp"
#include "observe/log.hpp"

namespace aeterna::rest {

namespace {

using memory::MemoryService;

constexpr std::size_t kMaxImportLines = 10'000;
/// Each chunk of an export has this long; the whole may take as long as it takes.
constexpr std::chrono::milliseconds kChunkDeadline{30'000};

task<void> write_export(MemoryService& service, security::Principal caller,
                        std::shared_ptr<MemoryService::ExportChunk> chunk,
                        net::BodyWriter& writer) {
    for (;;) {
        std::string piece;
        for (const std::string& line : chunk->lines) piece += line + "\n";
        if (!piece.empty() && !co_await writer.write(std::move(piece))) co_return;
        if (!chunk->next) co_return;
        auto more =
            co_await service.export_chunk(chunk->next, {caller, Deadline::after(kChunkDeadline)});
        if (!more) {
            // A last line that no import accepts: a cut export must not look complete.
            log::error("export_failed", {{"error", more.error().message}});
            (void)co_await writer.write(json::write(memory::to_json(more.error())) + "\n");
            co_return;
        }
        *chunk = std::move(*more);
    }
}

task<net::HttpResponse> export_all(MemoryService& service, Exchange exchange) {
    // The first chunk is read before the status goes out, so that a refusal is a status and not a
    // broken stream.
    auto first = co_await service.export_chunk(std::nullopt, {exchange.caller, exchange.deadline});
    if (!first) co_return error_response(first.error(), exchange.request_id);
    net::HttpResponse response;
    response.headers.set("Content-Type", "application/x-ndjson");
    auto chunk = std::make_shared<MemoryService::ExportChunk>(std::move(*first));
    response.stream = [&service, caller = exchange.caller, chunk](net::BodyWriter& writer) {
        return write_export(service, caller, chunk, writer);
    };
    co_return response;
}

task<net::HttpResponse> import_lines(MemoryService& service, Exchange exchange) {
    const std::string type = media_type(exchange.request.headers.find("Content-Type").value_or(""));
    if (type != "application/x-ndjson") {
        co_return error_response(
            Error(Code::kUnsupportedMedia, "content_type",
                  "send Content-Type: application/x-ndjson, one line a memory"),
            exchange.request_id);
    }
    std::vector<std::string> lines;
    for (std::string_view rest = exchange.request.body; !rest.empty();) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        lines.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (lines.size() > kMaxImportLines) {
        co_return error_response(Error(Code::kTooLarge, "too_many",
                                       fmt::format("{} lines in one call; at most {} are allowed",
                                                   lines.size(), kMaxImportLines)),
                                 exchange.request_id);
    }
    const auto report = co_await service.import(std::move(lines),
                                                {exchange.caller, std::nullopt, exchange.deadline});
    if (!report) co_return error_response(report.error(), exchange.request_id);
    json::Array errors;
    for (const auto& problem : report->problems) {
        json::Object item = memory::to_json(problem.error);
        item["line"] = problem.line;
        errors.push_back(std::move(item));
    }
    co_return json_response(200, json::Object{{"imported", report->imported},
                                              {"skipped", report->skipped},
                                              {"failed", report->failed},
                                              {"errors", std::move(errors)}});
}

}  // namespace

void add_transfer_routes(RestApi& api, MemoryService& service) {
    api.add("GET", "/api/v1/export", RouteKind::kRead,
            [&service](Exchange exchange) { return export_all(service, std::move(exchange)); });
    api.add("POST", "/api/v1/import", RouteKind::kWrite,
            [&service](Exchange exchange) { return import_lines(service, std::move(exchange)); });
}

}  // namespace aeterna::rest
