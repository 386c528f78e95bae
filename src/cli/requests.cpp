#include "cli/requests.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/spec.hpp"
#include "config/value.hpp"

namespace aeterna::cli {

namespace {

using json::Array;
using json::Object;

/// Builds a body; the first mistake is kept and returned at the end.
class Builder {
  public:
    Builder(const Invocation& line, const Defaults& defaults) : line_(line), defaults_(defaults) {}

    Object body;
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }
    [[nodiscard]] const Invocation& line() const { return line_; }

    void text(std::string_view option, std::string_view member) {
        if (const auto value = line_.one(option)) body[member] = *value;
    }
    void number(std::string_view option, std::string_view member, double low, double high) {
        if (const auto value = number_of(option, low, high)) body[member] = *value;
    }
    void whole(std::string_view option, std::string_view member, std::uint64_t low,
               std::uint64_t high) {
        const auto value = whole_of(option, low, high);
        if (value) body[member] = *value;
    }
    void time(std::string_view option, std::string_view member, Object& into, bool ahead) {
        const auto value = line_.one(option);
        if (!value) return;
        if (option == "--expires" && *value == "never") {
            into[member] = nullptr;
            return;
        }
        auto at = time_text(option, *value, defaults_.now, ahead);
        if (at) {
            into[member] = *at;
        } else {
            refuse(at.error().message);
        }
    }
    void metadata() {
        Object out;
        if (const auto given = line_.one("--metadata")) {
            auto object = json::parse_object(*given);
            if (object) {
                out = std::move(*object);
            } else {
                refuse(fmt::format("--metadata is no JSON object: {}", object.error().message));
            }
        }
        if (line_.has("--tag")) out["tags"] = texts("--tag");
        if (const auto type = line_.one("--source-type")) out["source"] = Object{{"type", *type}};
        if (!out.empty()) body["metadata"] = std::move(out);
    }
    void filters() {
        Object out;
        if (line_.has("--tag")) out["tags"] = texts("--tag");
        if (const auto type = line_.one("--source-type")) out["sourceType"] = *type;
        time("--since", "createdAfter", out, false);
        time("--until", "createdBefore", out, false);
        if (const auto least = number_of("--min-importance", 0, 1)) out["minImportance"] = *least;
        if (!out.empty()) body["filters"] = std::move(out);
    }
    [[nodiscard]] Array texts(std::string_view option) const {
        Array out;
        for (const std::string& value : line_.all(option)) out.emplace_back(value);
        return out;
    }

    /// The layer of the most specific identifier given, else user.
    [[nodiscard]] std::string layer() const {
        if (const auto given = line_.one("--layer")) return *given;
        for (const auto& id : identifier_flags()) {
            if (line_.has(id.flag)) return std::string(id.layer);
        }
        return "user";
    }
    /// Those given; the user too where the layer needs one (`always`: in any case).
    void identifiers(std::string_view for_layer, bool always) {
        Object out;
        for (const auto& id : identifier_flags()) {
            if (const auto value = line_.one(id.flag)) out[id.member] = *value;
        }
        const bool personal = for_layer == "user" || for_layer == "agent" || for_layer == "session";
        if ((always || personal) && !out.contains("userId")) out["userId"] = defaults_.user;
        body["identifiers"] = std::move(out);
    }

    std::string id(const std::string& text) {
        // Checked here, so that it can stand in a path as it is.
        if (!Uuid::parse(text)) {
            refuse(
                fmt::format("\"{}\" is no id; ids look like 0190f3c2-7a51-7d3e-9c1b-2f6f5f0c9a11",
                            cut_utf8(text, 60)));
        }
        return text;
    }
    std::optional<std::uint64_t> whole_of(std::string_view option, std::uint64_t low,
                                          std::uint64_t high) {
        const auto text = line_.one(option);
        if (!text) return std::nullopt;
        const auto value = config::parse_number(*text);
        if (!value || *value < low || *value > high) {
            refuse(fmt::format("{} must be a whole number from {} to {}", option, low, high));
            return std::nullopt;
        }
        return *value;
    }
    std::optional<double> number_of(std::string_view option, double low, double high) {
        const auto text = line_.one(option);
        if (!text) return std::nullopt;
        double value = 0;
        const auto [end, bad] = std::from_chars(text->data(), text->data() + text->size(), value);
        if (bad != std::errc{} || end != text->data() + text->size() || !(value >= low) ||
            !(value <= high)) {
            refuse(fmt::format("{} must be a number from {} to {}", option, low, high));
            return std::nullopt;
        }
        return value;
    }
    void refuse(std::string message) {
        if (!error_) error_ = Error(Code::kMalformed, "usage", std::move(message));
    }

  private:
    const Invocation& line_;
    const Defaults& defaults_;
    std::optional<Error> error_;
};

Call post(std::string target, Object body, bool keyed) {
    Call call;
    call.method = "POST";
    call.target = std::move(target);
    call.body = std::move(body);
    call.keyed = keyed;
    return call;
}
Call get(std::string target) {
    Call call;
    call.target = std::move(target);
    return call;
}

void if_version(Builder& in, Call& call) {
    if (const auto version = in.whole_of("--if-version", 1, INT64_MAX))
        call.headers.push_back({"If-Match", fmt::format("\"{}\"", *version)});
}

using Calls = std::vector<Call>;

Calls memory_add(Builder& in) {
    in.text("TEXT", "content");
    in.body["layer"] = in.layer();
    in.identifiers(in.layer(), false);
    in.metadata();
    in.number("--importance", "importance", 0, 1);
    in.time("--expires", "expiresAt", in.body, true);
    return {post("/api/v1/memory/add", std::move(in.body), true)};
}

Calls memory_search(Builder& in) {
    in.text("QUERY", "query");
    if (in.line().has("--layer")) in.body["layers"] = in.texts("--layer");
    in.identifiers("", true);
    in.whole("--limit", "limit", 1, 100);
    in.number("--threshold", "threshold", 0, 1);
    in.time("--as-of", "asOf", in.body, false);
    if (in.line().has("--explain")) in.body["explain"] = true;
    in.filters();
    return {post("/api/v1/memory/search", std::move(in.body), false)};
}

Calls memory_get(Builder& in) {
    std::string target = "/api/v1/memory/" + in.id(in.line().text("ID"));
    Object at;
    in.time("--as-of", "asOf", at, false);
    if (!at.empty())
        target += "?asOf=" + net::percent_encode(std::string_view(at["asOf"].as_string()));
    return {get(std::move(target))};
}

Calls memory_list(Builder& in) {
    in.body["layer"] = in.layer();
    in.identifiers(in.layer(), false);
    in.whole("--limit", "limit", 1, 500);
    if (in.line().has("--all") && !in.line().has("--limit")) in.body["limit"] = 500;
    in.text("--cursor", "cursor");
    in.filters();
    return {post("/api/v1/memory/list", std::move(in.body), false)};
}

Calls memory_update(Builder& in) {
    in.text("TEXT", "content");
    in.metadata();
    in.number("--importance", "importance", 0, 1);
    in.time("--expires", "expiresAt", in.body, true);
    if (in.body.empty()) in.refuse("nothing to change was given");
    Call call = post("/api/v1/memory/" + in.id(in.line().text("ID")), std::move(in.body), true);
    call.method = "PUT";
    if_version(in, call);
    return {std::move(call)};
}

Calls memory_delete(Builder& in) {
    Calls out;
    for (const std::string& id : in.line().all("ID")) {
        Call call = get("/api/v1/memory/" + in.id(id));
        call.method = "DELETE";
        call.keyed = true;
        if_version(in, call);
        out.push_back(std::move(call));
    }
    if (out.size() > 1 && in.line().has("--if-version"))
        in.refuse("--if-version goes with a single id");
    return out;
}

Calls memory_history(Builder& in) {
    return {get("/api/v1/memory/" + in.id(in.line().text("ID")) + "/history")};
}

Calls memory_feedback(Builder& in) {
    constexpr std::array<std::pair<std::string_view, double>, 5> kScores{{{"helpful", 1.0},
                                                                          {"irrelevant", -0.5},
                                                                          {"outdated", -0.7},
                                                                          {"inaccurate", -1.0},
                                                                          {"duplicate", -0.5}}};
    const std::string reward = in.line().text("REWARD");
    in.body["rewardType"] = reward;
    for (const auto& [name, score] : kScores) {
        if (name == reward) in.body["score"] = score;
    }
    in.number("--score", "score", -1, 1);
    return {post("/api/v1/memory/" + in.id(in.line().text("ID")) + "/feedback", std::move(in.body),
                 true)};
}

Calls memory_promote(Builder& in) {
    const std::string layer = in.line().text("--to");
    in.body["targetLayer"] = layer;
    in.identifiers(layer, false);
    return {post("/api/v1/memory/" + in.id(in.line().text("ID")) + "/promote", std::move(in.body),
                 true)};
}

Calls key_create(Builder& in) {
    in.text("--subject", "subject");
    in.text("--label", "label");
    if (in.line().has("--role")) in.body["roles"] = in.texts("--role");
    in.time("--expires", "expiresAt", in.body, true);
    Call call = post("/api/v1/keys", std::move(in.body), false);
    // The answer holds a token that is stored nowhere: a repeat would make a second key.
    call.repeatable = false;
    return {std::move(call)};
}

Calls key_list(Builder&) {
    return {get("/api/v1/keys")};
}
Calls key_revoke(Builder& in) {
    return {post("/api/v1/keys/" + in.id(in.line().text("ID")) + "/revoke", {}, false)};
}
Calls index_rebuild(Builder&) {
    return {post("/api/v1/index/rebuild", {}, false)};
}
Calls index_verify(Builder&) {
    return {get("/api/v1/index/verify")};
}
Calls server_status(Builder&) {
    return {get("/api/v1/status")};
}
Calls export_all(Builder&) {
    return {get("/api/v1/export")};
}

struct Recipe {
    std::string_view command;
    Calls (*build)(Builder&);
};
constexpr std::array kRecipes{Recipe{"memory add", memory_add},
                              Recipe{"memory search", memory_search},
                              Recipe{"memory get", memory_get},
                              Recipe{"memory list", memory_list},
                              Recipe{"memory update", memory_update},
                              Recipe{"memory delete", memory_delete},
                              Recipe{"memory history", memory_history},
                              Recipe{"memory feedback", memory_feedback},
                              Recipe{"memory promote", memory_promote},
                              Recipe{"key create", key_create},
                              Recipe{"key list", key_list},
                              Recipe{"key revoke", key_revoke},
                              Recipe{"index rebuild", index_rebuild},
                              Recipe{"index verify", index_verify},
                              Recipe{"status", server_status},
                              Recipe{"export", export_all}};

}  // namespace

result<std::string> time_text(std::string_view name, const std::string& text, Timestamp now,
                              bool ahead) {
    if (parse_rfc3339(text)) return text;
    if (text.size() == 10 && parse_rfc3339(text + "T00:00:00Z")) return text + "T00:00:00Z";
    if (const auto span = config::parse_duration(text))
        return to_rfc3339(ahead ? now + *span : now - *span);
    return fail(Code::kMalformed, "usage",
                fmt::format("{} must be a time such as 2026-01-31T09:30:00Z, a date such as "
                            "2026-01-31, or a span such as 30d; not \"{}\"",
                            name, cut_utf8(text, 60)));
}

result<std::vector<Call>> calls_for(const Invocation& line, const Defaults& defaults) {
    for (const Recipe& entry : kRecipes) {
        if (entry.command != line.command) continue;
        Builder builder(line, defaults);
        auto calls = entry.build(builder);
        if (builder.error()) return fail(*builder.error());
        return calls;
    }
    return fail(Code::kInternal, fmt::format("no request is known for \"{}\"", line.command));
}

}  // namespace aeterna::cli
