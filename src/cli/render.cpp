#include "cli/render.hpp"

#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/width.hpp"

namespace aeterna::cli {

namespace {

using json::Object;
using json::Value;

constexpr std::size_t kPreviewLines = 4;

const Value* member(const Object& object, std::string_view name) {
    return object.if_contains(name);
}
std::string raw(const Object& object, std::string_view name) {
    const Value* value = member(object, name);
    if (value == nullptr || value->is_null()) return {};
    if (const auto* text = value->if_string()) return std::string(*text);
    return json::write(*value);
}
/// Safe to print, on one line.
std::string text(const Object& object, std::string_view name) {
    return printable(raw(object, name));
}
double number(const Object& object, std::string_view name) {
    const Value* value = member(object, name);
    if (value == nullptr || !value->is_number()) return 0;
    boost::system::error_code ignored;
    return value->to_number<double>(ignored);
}
std::uint64_t count(const Object& object, std::string_view name) {
    return static_cast<std::uint64_t>(std::max(number(object, name), 0.0));
}
const Object& inner(const Object& object, std::string_view name) {
    static const Object none;
    const Value* value = member(object, name);
    return value != nullptr && value->is_object() ? value->get_object() : none;
}
const json::Array& items(const Object& object, std::string_view name) {
    static const json::Array none;
    const Value* value = member(object, name);
    return value != nullptr && value->is_array() ? value->get_array() : none;
}
std::string joined(const json::Array& list, std::string_view between = ", ") {
    std::string out;
    for (const Value& value : list) {
        if (!out.empty()) out += between;
        out += printable(value.is_string() ? std::string_view(value.get_string())
                                           : json::write(value));
    }
    return out;
}
/// "2026-11-23T20:41:00.000001Z" → "2026-11-23 20:41"
std::string minute(const Object& object, std::string_view name) {
    std::string at = text(object, name);
    if (at.size() < 16 || at[10] != 'T') return at;
    at[10] = ' ';
    return at.substr(0, 16);
}
std::string whose(const Object& memory) {
    std::string out;
    for (const auto& id : inner(memory, "identifiers")) {
        if (!out.empty()) out += ", ";
        const std::string_view key = id.key();
        out += fmt::format(
            "{} {}", printable(key.substr(0, key.ends_with("Id") ? key.size() - 2 : key.size())),
            printable(id.value().is_string() ? std::string_view(id.value().get_string())
                                             : std::string_view()));
    }
    return out;
}
std::string tags_of(const Object& memory) {
    return joined(items(inner(memory, "metadata"), "tags"));
}

std::string memory_add(const Invocation&, const Object& body, const Style& style) {
    const Value* again = member(body, "reinforced");
    const bool reinforced = again != nullptr && again->is_bool() && again->get_bool();
    return fmt::format("{} {}  ({} layer, version {})\n",
                       style.green(reinforced ? "known already, reinforced" : "remembered"),
                       text(body, "memoryId"), text(body, "layer"), text(body, "version"));
}

std::string memory_search(const Invocation& line, const Object& body, const Style& style) {
    const auto& found = items(body, "items");
    if (found.empty()) {
        return "nothing found; `aeterna memory list` shows what is there\n";
    }
    Table table({{"SCORE", true}, {"LAYER"}, {"MEMORY", false, true}});
    for (const Value& value : found) {
        if (!value.is_object()) continue;
        const Object& item = value.get_object();
        const Object& memory = inner(item, "memory");
        std::string note = text(memory, "id") + "  " + minute(memory, "updatedAt");
        if (const auto tags = tags_of(memory); !tags.empty()) note += "  #" + tags;
        if (line.has("--explain")) note += "\n" + text(inner(item, "explain"), "why");
        table.add({fmt::format("{:.2f}", number(item, "score")), text(memory, "layer"),
                   printable(raw(memory, "content"))},
                  std::move(note));
    }
    return table.render(style, kPreviewLines);
}

std::string memory_get(const Invocation&, const Object& body, const Style& style) {
    Facts facts;
    facts.add("id", text(body, "id"));
    facts.add("layer", fmt::format("{} ({})", text(body, "layer"), whose(body)));
    facts.add("version", text(body, "version"));
    facts.add("importance", fmt::format("{:.2f}", number(body, "importance")));
    facts.add("created", minute(body, "createdAt"));
    facts.add("updated", minute(body, "updatedAt"));
    if (const auto at = minute(body, "expiresAt"); !at.empty()) facts.add("expires", at);
    if (const auto tags = tags_of(body); !tags.empty()) facts.add("tags", tags);
    Object rest = inner(body, "metadata");
    rest.erase("tags");
    if (inner(rest, "source").empty()) rest.erase("source");
    if (!rest.empty()) facts.add("metadata", printable(json::write(rest)));
    return facts.render(style) + "\n" + printable(raw(body, "content"), true) + "\n";
}

std::string memory_list(const Invocation& line, const Object& body, const Style& style) {
    const auto& found = items(body, "items");
    if (found.empty()) {
        return line.has("--cursor")
                   ? "no more\n"
                   : "nothing here yet; `aeterna memory add \"...\"` remembers something\n";
    }
    Table table({{"UPDATED"}, {"IMP", true}, {"MEMORY", false, true}});
    for (const Value& value : found) {
        if (!value.is_object()) continue;
        const Object& memory = value.get_object();
        std::string note = text(memory, "id");
        if (const auto tags = tags_of(memory); !tags.empty()) note += "  #" + tags;
        table.add({minute(memory, "updatedAt"), fmt::format("{:.2f}", number(memory, "importance")),
                   printable(raw(memory, "content"))},
                  std::move(note));
    }
    std::string out = table.render(style, kPreviewLines);
    if (const auto next = text(body, "nextCursor"); !next.empty())
        out += style.dim(fmt::format("more: --cursor {} (or --all)", next)) + "\n";
    return out;
}

std::string memory_changed(const Invocation& line, const Object& body, const Style& style) {
    // Some answers hold the memory in a member, some are the memory.
    const Object& memory = member(body, "memory") != nullptr ? inner(body, "memory") : body;
    std::string what = "updated";
    if (line.command == "memory promote") what = "promoted to";
    std::string out = fmt::format("{} {}  ({} layer, version {}, importance {:.2f})\n",
                                  style.green(what), text(memory, "id"), text(memory, "layer"),
                                  text(memory, "version"), number(memory, "importance"));
    return out;
}

std::string memory_history(const Invocation&, const Object& body, const Style& style) {
    Table table(
        {{"VER", true}, {"WHEN"}, {"CHANGE"}, {"WHO", false, false, 16}, {"CONTENT", false, true}});
    for (const Value& value : items(body, "items")) {
        if (!value.is_object()) continue;
        const Object& version = value.get_object();
        table.add({text(version, "version"), minute(version, "validFrom"), text(version, "change"),
                   text(version, "actor"), printable(raw(version, "content"))});
    }
    return table.render(style, kPreviewLines);
}

std::string key_create(const Invocation&, const Object& body, const Style& style) {
    return fmt::format(
        "{}\n\n  {}\n\nIt is shown this once. Use it as AETERNA_TOKEN or as\n"
        "  Authorization: Bearer <token>\nid {}, subject {}, roles {}\n",
        style.green("The new key's token:"), style.bold(text(body, "token")), text(body, "id"),
        text(body, "subject"), joined(items(body, "roles")));
}

std::string key_list(const Invocation&, const Object& body, const Style& style) {
    const auto& found = items(body, "items");
    if (found.empty()) return "no keys; make one with `aeterna key create --subject NAME`\n";
    Table table({{"SUBJECT", false, false, 20},
                 {"ROLES", false, false, 14},
                 {"STATE"},
                 {"LABEL", false, true}});
    for (const Value& value : found) {
        if (!value.is_object()) continue;
        const Object& key = value.get_object();
        std::string state = "valid";
        if (const auto until = minute(key, "expiresAt"); !until.empty()) state = "until " + until;
        if (!text(key, "revokedAt").empty()) state = "revoked";
        table.add(
            {text(key, "subject"), joined(items(key, "roles"), ","), state, text(key, "label")},
            text(key, "id"));
    }
    return table.render(style);
}

void add_index(Facts& facts, const Object& index) {
    std::string line = text(index, "state");
    if (line.empty()) line = text(index, "message");
    if (text(index, "state") == "rebuilding")
        line += fmt::format(", {:.0f} %", 100 * number(index, "progress"));
    if (member(index, "memories") != nullptr) {
        line += fmt::format(", {} memories, {}", grouped(count(index, "memories")),
                            human_bytes(count(index, "bytes")));
    }
    if (const auto without = count(index, "withoutVector"); without != 0)
        line += fmt::format(", {} without a vector", grouped(without));
    facts.add("index", line);
}

std::string status(const Invocation&, const Object& body, const Style& style) {
    Facts facts;
    facts.add("version", text(body, "version"));
    facts.add("roles", joined(items(body, "roles")));
    const auto up = count(body, "uptimeSeconds");
    facts.add("up", fmt::format("{}d {:02}:{:02}:{:02}, since {}", up / 86'400, up / 3600 % 24,
                                up / 60 % 60, up % 60, minute(body, "startedAt")));
    facts.add("you", fmt::format("{} of tenant {}", text(body, "subject"), text(body, "tenant")));
    const Object& store = inner(body, "store");
    facts.add("store",
              fmt::format("{}, {} memories, {}", text(store, "engine"),
                          grouped(count(store, "memories")), human_bytes(count(store, "bytes"))));
    if (const auto& trouble = inner(store, "trouble"); !trouble.empty())
        facts.add("trouble", text(trouble, "message"));
    add_index(facts, inner(body, "index"));
    const Object& embedder = inner(body, "embedder");
    facts.add("embedder", fmt::format("{}, {} dimensions", text(embedder, "name"),
                                      text(embedder, "dimensions")));
    return facts.render(style);
}

std::string index_rebuild(const Invocation&, const Object& body, const Style& style) {
    Facts facts;
    add_index(facts, body);
    return facts.render(style);
}

std::string index_verify(const Invocation&, const Object& body, const Style& style) {
    const Value* equal = member(body, "equal");
    if (equal != nullptr && equal->is_bool() && equal->get_bool()) {
        return fmt::format("{}: the index equals the store ({} memories compared)\n",
                           style.green("equal"), grouped(count(body, "compared")));
    }
    std::string out = fmt::format(
        "{}: {} missing, {} stale, {} too many of {} compared; `aeterna index rebuild` mends it\n",
        style.red("different"), grouped(count(body, "missing")), grouped(count(body, "stale")),
        grouped(count(body, "extra")), grouped(count(body, "compared")));
    for (const Value& id : items(body, "examples")) out += "  " + joined({id}) + "\n";
    return out;
}

std::string import_report(const Invocation&, const Object& body, const Style& style) {
    std::string out = fmt::format("{} imported, {} were there already, {} failed\n",
                                  grouped(count(body, "imported")), grouped(count(body, "skipped")),
                                  grouped(count(body, "failed")));
    for (const Value& value : items(body, "errors")) {
        if (!value.is_object()) continue;
        const Object& problem = value.get_object();
        out += fmt::format("  {} {}: {}\n", style.red("line"), text(problem, "line"),
                           text(problem, "message"));
    }
    return out;
}

struct Rendering {
    std::string_view command;
    std::string (*render)(const Invocation&, const Object&, const Style&);
};
constexpr std::array kRenderings{Rendering{"memory add", memory_add},
                                 Rendering{"memory search", memory_search},
                                 Rendering{"memory get", memory_get},
                                 Rendering{"memory list", memory_list},
                                 Rendering{"memory update", memory_changed},
                                 Rendering{"memory feedback", memory_changed},
                                 Rendering{"memory promote", memory_changed},
                                 Rendering{"memory history", memory_history},
                                 Rendering{"key create", key_create},
                                 Rendering{"key list", key_list},
                                 Rendering{"status", status},
                                 Rendering{"index rebuild", index_rebuild},
                                 Rendering{"index verify", index_verify},
                                 Rendering{"import", import_report}};

Code code_of(int status) {
    switch (status) {
        case 401:
            return Code::kUnauthenticated;
        case 403:
            return Code::kForbidden;
        case 404:
            return Code::kNotFound;
        case 409:
            return Code::kConflict;
        case 413:
            return Code::kTooLarge;
        case 422:
            return Code::kRuleViolation;
        case 429:
            return Code::kRateLimited;
        case 501:
            return Code::kNotBuilt;
        case 502:
        case 503:
        case 504:
            return Code::kUnavailable;
        default:
            return status < 500 ? Code::kMalformed : Code::kInternal;
    }
}

}  // namespace

Error error_of(const net::HttpResponse& response) {
    const auto body = json::parse_object(response.body);
    std::string message = body ? raw(*body, "message") : std::string();
    if (message.empty()) {
        message = fmt::format("the server answered {} {}", response.status,
                              net::reason_phrase(response.status));
        if (!body) message += "; is it an Aeterna server?";
    }
    return {code_of(response.status), body ? raw(*body, "error") : std::string(),
            std::move(message)};
}

std::string render(const Invocation& line, const json::Value& body, const Style& style) {
    if (line.command == "memory delete") return style.green("forgotten") + "\n";
    if (line.command == "key revoke") return style.green("revoked") + "\n";
    for (const Rendering& entry : kRenderings) {
        if (entry.command == line.command && body.is_object())
            return entry.render(line, body.get_object(), style);
    }
    return json::write(body) + "\n";
}

std::string grouped(std::uint64_t number) {
    std::string out = std::to_string(number);
    for (std::size_t at = out.size(); at > 3;) {
        at -= 3;
        out.insert(at, ",");
    }
    return out;
}

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    double amount = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (amount >= 1024 && unit + 1 < kUnits.size()) {
        amount /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

}  // namespace aeterna::cli
