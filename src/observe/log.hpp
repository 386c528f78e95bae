#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace aeterna::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };
enum class Format : std::uint8_t { kJson, kText };

struct Field {
    std::string_view name;
    std::variant<std::int64_t, double, bool, std::string> value;
    Field(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
    Field(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
    Field(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
    Field(std::string_view n, bool v) : name(n), value(v) {}
    Field(std::string_view n, double v) : name(n), value(v) {}
    template <class Int>
        requires(std::is_integral_v<Int> && !std::is_same_v<Int, bool>)
    Field(std::string_view n, Int v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

/// One line on standard error: JSON for machines, aligned text for people (coloured on a terminal
/// without NO_COLOR). Control bytes and bad UTF-8 are escaped. Safe from any thread; never throws.
void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});
inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::kDebug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::kInfo, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::kWarn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
    write(Level::kError, event, fields);
}

/// Until then: kInfo and kText.
void configure(Level level, Format format);
[[nodiscard]] bool enabled(Level level) noexcept;

/// At most one line per `key` and second; the next line says how many were left out ("suppressed").
void limited(Level level, std::string_view key, std::string_view event,
             std::initializer_list<Field> fields = {});

}  // namespace aeterna::log
