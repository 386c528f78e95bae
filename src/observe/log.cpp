#include "observe/log.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace aeterna::log {
namespace {

constexpr std::size_t kMaxValue = 8 * 1024;  // bytes of one value that reach the log
constexpr std::size_t kMaxLimitedKeys = 1024;
constexpr std::size_t kEventWidth = 28;

struct State {
    spdlog::logger logger{"aeterna", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    std::atomic<Level> level{Level::kInfo};
    std::atomic<Format> format{Format::kText};

    struct Window {
        std::chrono::steady_clock::time_point opened;
        std::int64_t suppressed = 0;
    };
    std::mutex windows_mutex;
    std::map<std::string, Window, std::less<>> windows;

    State() {
        logger.set_pattern("%v");
        logger.set_level(spdlog::level::trace);
        // A log that cannot be written must not write about itself.
        logger.set_error_handler([](const std::string&) {});
    }
};

State& state() {
    // Never destroyed: threads that outlive main may still log.
    static auto* const instance = new State;
    return *instance;
}

std::string_view level_name(Level level) {
    switch (level) {
        case Level::kDebug:
            return "debug";
        case Level::kInfo:
            return "info";
        case Level::kWarn:
            return "warn";
        case Level::kError:
            break;
    }
    return "error";
}

std::string_view level_colour(Level level) {
    switch (level) {
        case Level::kDebug:
            return "\x1b[2m";
        case Level::kInfo:
            return "\x1b[32m";
        case Level::kWarn:
            return "\x1b[33m";
        case Level::kError:
            break;
    }
    return "\x1b[31m";
}

bool use_colour() {
    static const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const char* const refused = std::getenv("NO_COLOR");
    return terminal && (refused == nullptr || *refused == '\0');
}

/// The inside of a JSON string; what is not UTF-8 is shown byte by byte as U+FFFD.
void append_escaped(std::string& out, std::string_view text) {
    const bool utf8 = is_valid_utf8(text);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        } else if (byte >= 0x80 && !utf8) {
            out += "\\ufffd";
        } else {
            out += c;
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, cut_utf8(text, kMaxValue));
    out += '"';
}

void append_value(std::string& out, const Field& field, bool always_quote) {
    if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
        fmt::format_to(std::back_inserter(out), "{}", *number);
    } else if (const auto* real = std::get_if<double>(&field.value)) {
        if (std::isfinite(*real)) {
            fmt::format_to(std::back_inserter(out), "{}", *real);
        } else {
            out += "null";
        }
    } else if (const auto* flag = std::get_if<bool>(&field.value)) {
        out += *flag ? "true" : "false";
    } else {
        const auto& text = std::get<std::string>(field.value);
        bool plain = !always_quote && !text.empty();
        for (const char c : text) plain = plain && c > ' ' && c < 0x7f && c != '"' && c != '=';
        if (plain) {
            out += cut_utf8(text, kMaxValue);
        } else {
            append_quoted(out, text);
        }
    }
}

std::string json_line(Level level, std::string_view event, std::span<const Field> fields,
                      std::int64_t suppressed) {
    std::string out = fmt::format(R"({{"time":"{}","level":"{}","event":)",
                                  to_rfc3339(SystemClock().now()), level_name(level));
    append_quoted(out, event);
    for (const Field& field : fields) {
        out += ',';
        append_quoted(out, field.name);
        out += ':';
        append_value(out, field, true);
    }
    if (suppressed > 0) fmt::format_to(std::back_inserter(out), ",\"suppressed\":{}", suppressed);
    out += '}';
    return out;
}

std::string text_line(Level level, std::string_view event, std::span<const Field> fields,
                      std::int64_t suppressed) {
    const bool colour = use_colour();
    const std::string_view on = colour ? level_colour(level) : "";
    const std::string_view dim = colour ? "\x1b[2m" : "";
    const std::string_view off = colour ? "\x1b[0m" : "";
    std::string shown;
    append_escaped(shown, event);
    std::string out = fmt::format("{}{}{} {}{:<5}{} ", dim, to_rfc3339(SystemClock().now()), off,
                                  on, level_name(level), off);
    if (fields.empty() && suppressed == 0) return out + shown;
    fmt::format_to(std::back_inserter(out), "{:<{}}", shown, kEventWidth);
    for (const Field& field : fields) {
        fmt::format_to(std::back_inserter(out), " {}{}={}", dim, field.name, off);
        append_value(out, field, false);
    }
    if (suppressed > 0) {
        fmt::format_to(std::back_inserter(out), " {}suppressed={}{}", dim, off, suppressed);
    }
    return out;
}

void emit(Level level, std::string_view event, std::span<const Field> fields,
          std::int64_t suppressed) {
    try {
        State& log = state();
        const std::string line = log.format.load(std::memory_order_relaxed) == Format::kJson
                                     ? json_line(level, event, fields, suppressed)
                                     : text_line(level, event, fields, suppressed);
        log.logger.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    } catch (const std::exception&) {
        // Out of memory while logging: the line is lost, the work goes on.
    }
}

/// Lines left out before this one, or nothing when this one is to be left out too.
std::optional<std::int64_t> pass_window(std::string_view key) {
    using namespace std::chrono_literals;
    State& log = state();
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(log.windows_mutex);
    auto at = log.windows.find(key);
    if (at == log.windows.end()) {
        if (log.windows.size() >= kMaxLimitedKeys) {
            std::erase_if(log.windows, [&](const auto& entry) {
                return entry.second.suppressed == 0 && now - entry.second.opened >= 1s;
            });
            if (log.windows.size() >= kMaxLimitedKeys) log.windows.clear();
        }
        log.windows.emplace(std::string(key), State::Window{now, 0});
        return 0;
    }
    if (now - at->second.opened < 1s) {
        ++at->second.suppressed;
        return std::nullopt;
    }
    at->second.opened = now;
    return std::exchange(at->second.suppressed, 0);
}

}  // namespace

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
    if (enabled(level)) emit(level, event, {fields.begin(), fields.size()}, 0);
}

void configure(Level level, Format format) {
    state().level.store(level, std::memory_order_relaxed);
    state().format.store(format, std::memory_order_relaxed);
}

bool enabled(Level level) noexcept {
    return level >= state().level.load(std::memory_order_relaxed);
}

void limited(Level level, std::string_view key, std::string_view event,
             std::initializer_list<Field> fields) {
    if (!enabled(level)) return;
    if (const auto suppressed = pass_window(key)) {
        emit(level, event, {fields.begin(), fields.size()}, *suppressed);
    }
}

}  // namespace aeterna::log
