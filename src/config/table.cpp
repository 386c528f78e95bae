#include "config/table.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "config/value.hpp"

namespace aeterna::config {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::size_t kMaxItems = 64;
constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * 1024;

result<std::string> one_text(const Given& given) {
    if (given.list || given.texts.size() != 1) {
        return fail(Code::kMalformed, "needs one plain value, not a list");
    }
    const std::string& text = given.texts.front();
    if (text.size() > kMaxTextBytes) {
        return fail(Code::kTooLarge, fmt::format("is longer than {} bytes", kMaxTextBytes));
    }
    if (!is_valid_utf8(text) || std::ranges::any_of(text, [](unsigned char c) { return c < 32; })) {
        return fail(Code::kMalformed, "must be text without control characters");
    }
    return text;
}

/// Where a setting is kept. A function pointer, so that the templates below are made once per type
/// and not once per setting.
template <class T>
using At = T& (*)(Settings&);

/// Adds what most kinds share: `read` makes a T from one text, `at` says where it is kept.
template <class T, class Read, class Show>
Setting scalar(Setting base, Read read, At<T> at, Show show) {
    base.set = [read, at](Settings& settings, const Given& given) -> result<void> {
        auto text = one_text(given);
        if (!text) return tl::unexpected(std::move(text).error());
        result<T> value = read(std::move(*text));
        if (!value) return tl::unexpected(std::move(value).error());
        at(settings) = std::move(*value);
        return {};
    };
    base.show = [at, show](const Settings& settings) {
        // `at` gives a reference to a member; nothing is written through it here.
        return std::string(show(at(const_cast<Settings&>(settings))));
    };
    return base;
}

Setting text(Setting base, At<std::string> at) {
    return scalar<std::string>(
        std::move(base), [](std::string value) -> result<std::string> { return value; }, at,
        [](const std::string& value) { return value; });
}

Setting address(Setting base, At<std::string> at) {
    base.type = "host:port";
    return scalar<std::string>(
        std::move(base),
        [](std::string value) -> result<std::string> {
            AETERNA_TRY(check_address(value));
            return value;
        },
        at, [](const std::string& value) { return value; });
}

Setting file_path(Setting base, At<std::filesystem::path> at) {
    base.type = "folder";
    base.path = true;
    return scalar<std::filesystem::path>(
        std::move(base),
        [](const std::string& value) -> result<std::filesystem::path> {
            if (value.empty()) return fail(Code::kMalformed, "must not be empty");
            return std::filesystem::path(value);
        },
        at, [](const std::filesystem::path& value) { return value.string(); });
}

result<std::uint64_t> within(result<std::uint64_t> value, std::uint64_t low, std::uint64_t high,
                             std::string (*show)(std::uint64_t)) {
    if (value && (*value < low || *value > high)) {
        return fail(Code::kRuleViolation, fmt::format("must be from {} to {}, not {}", show(low),
                                                      show(high), show(*value)));
    }
    return value;
}
std::string plain(std::uint64_t value) {
    return std::to_string(value);
}

Setting number(Setting base, std::uint64_t low, std::uint64_t high, At<std::size_t> at) {
    base.type = fmt::format("number, {} to {}", low, high);
    return scalar<std::uint64_t>(
        std::move(base),
        [=](const std::string& value) { return within(parse_number(value), low, high, plain); }, at,
        plain);
}

Setting bytes(Setting base, std::uint64_t low, std::uint64_t high, At<std::size_t> at) {
    base.type = fmt::format("size, {} to {}", format_bytes(low), format_bytes(high));
    return scalar<std::uint64_t>(
        std::move(base),
        [=](const std::string& value) {
            return within(parse_bytes(value), low, high, format_bytes);
        },
        at, format_bytes);
}

template <class Span>
Setting duration(Setting base, milliseconds low, milliseconds high, At<Span> at) {
    base.type = fmt::format("duration, {} to {}", format_duration(low), format_duration(high));
    return scalar<Span>(
        std::move(base),
        [=](const std::string& value) -> result<Span> {
            auto span = parse_duration(value);
            if (!span) return tl::unexpected(std::move(span).error());
            if (*span < low || *span > high) {
                return fail(Code::kRuleViolation,
                            fmt::format("must be from {} to {}, not {}", format_duration(low),
                                        format_duration(high), value));
            }
            return std::chrono::duration_cast<Span>(*span);
        },
        at, [](Span span) { return format_duration(span); });
}

template <class E>
using Words = std::vector<std::pair<std::string_view, E>>;

template <class E>
Setting choice(Setting base, Words<E> words, std::type_identity_t<At<E>> at) {
    std::string list;
    for (const auto& [word, value] : words) list += (list.empty() ? "" : "|") + std::string(word);
    base.type = list;
    return scalar<E>(
        std::move(base),
        [=](const std::string& given) -> result<E> {
            for (const auto& [word, value] : words) {
                if (word == given) return value;
            }
            return fail(Code::kMalformed,
                        fmt::format("must be one of {}, not \"{}\"", list, cut_utf8(given, 60)));
        },
        at,
        [words](E value) {
            for (const auto& [word, candidate] : words) {
                if (candidate == value) return std::string(word);
            }
            return std::string();
        });
}

Setting texts(Setting base, std::vector<std::string_view> allowed,
              At<std::vector<std::string>> at) {
    base.list = true;
    base.type = allowed.empty() ? "list, by commas" : fmt::format("{}", fmt::join(allowed, ","));
    base.set = [allowed, at](Settings& settings, const Given& given) -> result<void> {
        std::vector<std::string> out;
        for (const std::string& piece : given.texts) {
            auto checked = one_text({{piece}, false});
            if (!checked) return tl::unexpected(std::move(checked).error());
            // A list may also be written as one text with commas.
            for (std::string_view rest = piece; !rest.empty();) {
                const std::size_t comma =
                    given.list ? rest.size() : std::min(rest.find(','), rest.size());
                const std::string item(trim(rest.substr(0, comma)));
                rest.remove_prefix(std::min(comma + 1, rest.size()));
                if (item.empty()) continue;
                if (!allowed.empty() && std::ranges::find(allowed, item) == allowed.end()) {
                    return fail(Code::kMalformed,
                                fmt::format("may hold {}, not \"{}\"", fmt::join(allowed, ", "),
                                            cut_utf8(item, 60)));
                }
                if (std::ranges::find(out, item) == out.end()) out.push_back(item);
            }
        }
        if (out.size() > kMaxItems)
            return fail(Code::kTooLarge, fmt::format("holds more than {} items", kMaxItems));
        at(settings) = std::move(out);
        return {};
    };
    base.show = [at](const Settings& settings) {
        return fmt::format("{}", fmt::join(at(const_cast<Settings&>(settings)), ","));
    };
    return base;
}

Setting named(std::string_view name, std::string_view flag, std::string_view env,
              std::string_view help) {
    Setting out;
    out.name = name;
    out.flag = flag;
    out.env = env;
    out.help = help;
    return out;
}
Setting common(Setting setting) {
    setting.common = true;
    return setting;
}

std::vector<Setting> make_table() {
    std::vector<Setting> out;
    out.push_back(common(
        address(named("server.listen", "--listen", "AETERNA_LISTEN", "where the API listens"),
                [](Settings& s) -> auto& { return s.server.listen; })));
    out.push_back(common(address(named("server.ops_listen", "--ops-listen", "AETERNA_OPS_LISTEN",
                                       "where /health, /live, /ready and /metrics listen"),
                                 [](Settings& s) -> auto& { return s.server.ops_listen; })));
    out.push_back(
        number(named("server.loops", "--loops", "AETERNA_LOOPS", "event loops; 0: one per core"), 0,
               256, [](Settings& s) -> auto& { return s.server.loops; }));
    out.push_back(duration<milliseconds>(
        named("server.drain_timeout", "--drain-timeout", "AETERNA_DRAIN_TIMEOUT",
              "how long running requests may take to finish at a stop"),
        milliseconds(0), hours(1), [](Settings& s) -> auto& { return s.server.drain_timeout; }));
    out.push_back(common(
        file_path(named("data.dir", "--data-dir", "AETERNA_DATA_DIR", "where memories are kept"),
                  [](Settings& s) -> auto& { return s.data.dir; })));
    out.push_back(common(texts(named("roles", "--role", "AETERNA_ROLES",
                                     "which services this process runs; none given: all"),
                               {"memory", "knowledge", "governance", "sync"},
                               [](Settings& s) -> auto& { return s.roles; })));
    out.push_back(common(
        choice(named("log.level", "--log-level", "AETERNA_LOG_LEVEL", "least serious lines to log"),
               Words<LogLevel>{{"debug", LogLevel::kDebug},
                               {"info", LogLevel::kInfo},
                               {"warn", LogLevel::kWarn},
                               {"error", LogLevel::kError}},
               [](Settings& s) -> auto& { return s.log.level; })));
    out.push_back(choice(
        named("log.format", "--log-format", "AETERNA_LOG_FORMAT",
              "auto: text on a terminal, JSON elsewhere"),
        Words<LogFormat>{
            {"auto", LogFormat::kAuto}, {"json", LogFormat::kJson}, {"text", LogFormat::kText}},
        [](Settings& s) -> auto& { return s.log.format; }));
    out.push_back(common(choice(
        named("auth.required", "--auth", "AETERNA_AUTH",
              "auto: no token is asked of direct callers on loopback; always: of everybody"),
        Words<AuthRequired>{{"auto", AuthRequired::kAuto}, {"always", AuthRequired::kAlways}},
        [](Settings& s) -> auto& { return s.auth.required; })));
    out.push_back(
        texts(named("http.allowed_hosts", "--allowed-hosts", "AETERNA_ALLOWED_HOSTS",
                    "Host names (without ports) answered without a token, beyond loopback's"),
              {}, [](Settings& s) -> auto& { return s.http.allowed_hosts; }));
    out.push_back(
        texts(named("http.allowed_origins", "--allowed-origins", "AETERNA_ALLOWED_ORIGINS",
                    "web origins that may call without a token, beyond loopback's"),
              {}, [](Settings& s) -> auto& { return s.http.allowed_origins; }));
    out.push_back(bytes(named("limits.content_bytes", "--limit-content", "AETERNA_LIMIT_CONTENT",
                              "longest content of a memory"),
                        1, 16 * kMiB, [](Settings& s) -> auto& { return s.limits.content_bytes; }));
    out.push_back(bytes(
        named("limits.query_bytes", "--limit-query", "AETERNA_LIMIT_QUERY", "longest search query"),
        1, kMiB, [](Settings& s) -> auto& { return s.limits.query_bytes; }));
    out.push_back(bytes(
        named("limits.body_bytes", "--limit-body", "AETERNA_LIMIT_BODY", "longest request body"),
        kKiB, 64 * kMiB, [](Settings& s) -> auto& { return s.limits.body_bytes; }));
    out.push_back(bytes(named("limits.batch_body_bytes", "--limit-batch-body",
                              "AETERNA_LIMIT_BATCH_BODY", "longest body of a batch or an import"),
                        kKiB, 256 * kMiB,
                        [](Settings& s) -> auto& { return s.limits.batch_body_bytes; }));
    out.push_back(number(named("limits.json_depth", "--limit-json-depth",
                               "AETERNA_LIMIT_JSON_DEPTH", "deepest nesting of JSON"),
                         4, 256, [](Settings& s) -> auto& { return s.limits.json_depth; }));
    out.push_back(number(named("limits.identifier_characters", "--limit-identifier",
                               "AETERNA_LIMIT_IDENTIFIER", "longest identifier, in characters"),
                         1, 1000,
                         [](Settings& s) -> auto& { return s.limits.identifier_characters; }));
    out.push_back(bytes(named("limits.metadata_bytes", "--limit-metadata", "AETERNA_LIMIT_METADATA",
                              "most metadata of a memory, as JSON"),
                        2, kMiB, [](Settings& s) -> auto& { return s.limits.metadata_bytes; }));
    out.push_back(duration<milliseconds>(
        named("deadlines.read", "--deadline-read", "AETERNA_DEADLINE_READ",
              "a read's time when the caller names none"),
        milliseconds(10), hours(1), [](Settings& s) -> auto& { return s.deadlines.read; }));
    out.push_back(duration<milliseconds>(
        named("deadlines.write", "--deadline-write", "AETERNA_DEADLINE_WRITE",
              "a write's time when the caller names none"),
        milliseconds(10), hours(1), [](Settings& s) -> auto& { return s.deadlines.write; }));
    out.push_back(
        choice(named("embedding.provider", "--embedding-provider", "AETERNA_EMBEDDING_PROVIDER",
                     "static: built in, no network; openai: any OpenAI-compatible endpoint"),
               Words<EmbeddingProvider>{{"static", EmbeddingProvider::kStatic},
                                        {"openai", EmbeddingProvider::kOpenai}},
               [](Settings& s) -> auto& { return s.embedding.provider; }));
    Setting url = named("embedding.url", "--embedding-url", "AETERNA_EMBEDDING_URL",
                        "base of the endpoint, such as https://api.example.com/v1");
    url.type = "http(s) URL";
    out.push_back(text(std::move(url), [](Settings& s) -> auto& { return s.embedding.url; }));
    Setting model = named("embedding.model", "--embedding-model", "AETERNA_EMBEDDING_MODEL",
                          "the endpoint's name of the model");
    model.type = "text";
    out.push_back(text(std::move(model), [](Settings& s) -> auto& { return s.embedding.model; }));
    Setting key = named("embedding.api_key", "", "AETERNA_EMBEDDING_API_KEY",
                        "the endpoint's key; by environment or file only");
    key.type = "secret";
    key.secret = true;
    out.push_back(text(std::move(key), [](Settings& s) -> auto& { return s.embedding.api_key; }));
    out.push_back(number(
        named("embedding.dimensions", "--embedding-dimensions", "AETERNA_EMBEDDING_DIMENSIONS",
              "ask the endpoint for vectors of this size; 0: its own"),
        0, 4096, [](Settings& s) -> auto& { return s.embedding.dimensions; }));
    out.push_back(duration<seconds>(
        named("memory.purge_after", "--purge-after", "AETERNA_PURGE_AFTER",
              "how long deleted memories are kept"),
        seconds(0), hours(24 * 3650), [](Settings& s) -> auto& { return s.memory.purge_after; }));
    out.push_back(duration<seconds>(
        named("idempotency.keep", "--idempotency-keep", "AETERNA_IDEMPOTENCY_KEEP",
              "how long the answer to an Idempotency-Key is kept"),
        std::chrono::minutes(1), hours(24 * 30),
        [](Settings& s) -> auto& { return s.idempotency.keep; }));
    return out;
}

}  // namespace

std::span<const Setting> settings_table() {
    static const std::vector<Setting> table = make_table();
    return table;
}

const Setting* find_setting(std::string_view name) {
    const auto table = settings_table();
    const auto found = std::ranges::find(table, name, &Setting::name);
    return found == table.end() ? nullptr : &*found;
}

std::string_view nearest_setting(std::string_view name) {
    constexpr std::size_t kFar = 5;
    std::string_view best;
    std::size_t best_distance = std::min(kFar, name.size() / 2 + 1);
    for (const Setting& setting : settings_table()) {
        // "listen" is near to "server.listen": the place may be what was forgotten.
        const auto dot = setting.name.rfind('.');
        const bool same_leaf = dot != std::string_view::npos &&
                               setting.name.substr(dot + 1) == name.substr(name.rfind('.') + 1);
        const std::size_t distance =
            same_leaf ? 1 : edit_distance(name, setting.name, best_distance);
        if (distance < best_distance) {
            best_distance = distance;
            best = setting.name;
        }
    }
    return best;
}

}  // namespace aeterna::config
