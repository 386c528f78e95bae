#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace aeterna::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

struct ParseLimits {
    std::size_t depth = 32;
};

/// One JSON text, nothing after it. kMalformed says where; kRuleViolation "too_deep" past the depth
/// limit, "nul_character" for U+0000, "bad_utf8" (kMalformed) for bytes that are not UTF-8,
/// "duplicate_member" (kMalformed).
[[nodiscard]] result<Value> parse(std::string_view text, ParseLimits limits = {});
/// As parse, but the text must be an object.
[[nodiscard]] result<Object> parse_object(std::string_view text, ParseLimits limits = {});
/// Compact; doubles in their shortest form that reads back as the same double.
[[nodiscard]] std::string write(const Value& value);
/// Members in byte order at every depth, numbers as `write` prints them: equal meaning, equal
/// bytes.
[[nodiscard]] std::string canonical(const Value& value);

/// Reads the members of an object one by one and afterwards refuses what nobody asked for.
/// The first mistake wins and is kept: check `error()` (or `finish()`) once at the end.
class Reader {
  public:
    /// `path` names the object in messages: "" for the body, "identifiers" for a member.
    Reader(const Object& object, std::string path);

    [[nodiscard]] std::optional<std::string> text(std::string_view name, std::size_t max_bytes);
    [[nodiscard]] std::string required_text(std::string_view name, std::size_t max_bytes);
    [[nodiscard]] std::optional<double> number(std::string_view name, double low, double high);
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name, std::int64_t low,
                                                      std::int64_t high);
    [[nodiscard]] std::optional<bool> flag(std::string_view name);
    [[nodiscard]] std::optional<Timestamp> time(std::string_view name);
    /// Null only when `name` is absent or null (or wrong, then error() tells).
    [[nodiscard]] const Object* object(std::string_view name);
    [[nodiscard]] const Array* array(std::string_view name, std::size_t max_items);
    [[nodiscard]] std::vector<std::string> texts(std::string_view name, std::size_t max_items,
                                                 std::size_t max_bytes);
    /// Anything, also null.
    [[nodiscard]] const Value* any(std::string_view name);
    /// True when the member stands there, whatever its value.
    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::string path_of(std::string_view name) const;

    void refuse(Code code, std::string reason, std::string message);
    [[nodiscard]] const std::optional<Error>& error() const noexcept { return error_; }
    /// The first mistake, or "unknown_field" for a member that was never asked for.
    [[nodiscard]] result<void> finish();

  private:
    const Value* take(std::string_view name);
    void wrong_type(std::string_view name, std::string_view wanted);

    const Object& object_;
    std::string path_;
    std::vector<std::string_view> asked_;
    std::optional<Error> error_;
};

}  // namespace aeterna::json
