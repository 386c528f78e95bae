#include "json/codec.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parser.hpp>
#include <fmt/format.h>

#include "base/text.hpp"

namespace aeterna::json {

namespace {

/// What Boost's parser takes but we do not: U+0000 and a name given twice. Depth is Boost's own
/// check.
result<void> check(const Value& value, const std::string& path) {
    if (value.is_string()) {
        if (value.get_string().find('\0') != boost::json::string::npos) {
            return fail(Code::kRuleViolation, "nul_character",
                        fmt::format("{} contains U+0000, which cannot be stored",
                                    path.empty() ? "the body" : path));
        }
    } else if (value.is_double()) {
        if (!std::isfinite(value.get_double())) {
            return fail(Code::kRuleViolation, "out_of_range",
                        fmt::format("{} holds a number that is too large",
                                    path.empty() ? "the body" : path));
        }
    } else if (value.is_array()) {
        for (const Value& item : value.get_array()) AETERNA_TRY(check(item, path));
    } else if (value.is_object()) {
        for (const auto& member : value.get_object()) {
            if (member.key().find('\0') != boost::json::string_view::npos) {
                return fail(Code::kRuleViolation, "nul_character", "a member name contains U+0000");
            }
            AETERNA_TRY(check(member.value(),
                              path.empty()
                                  ? std::string(member.key())
                                  : fmt::format("{}.{}", path, std::string_view(member.key()))));
        }
    }
    return {};
}

/// Scans raw JSON for repeated member names, which Boost's DOM would silently fold. Runs after a
/// successful parse, so the text is well formed. Returns the first repeated name.
std::optional<std::string> repeated_name(std::string_view text) {
    struct Frame {
        std::vector<std::string> names;
        bool is_object;
    };
    std::vector<Frame> open;
    bool name_next = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') {
            const std::size_t start = i;
            for (++i; text[i] != '"'; ++i) {
                if (text[i] == '\\') ++i;
            }
            if (name_next && !open.empty() && open.back().is_object) {
                boost::system::error_code error;
                const Value name = boost::json::parse(
                    boost::json::string_view(text.data() + start, i - start + 1), error);
                if (!error) open.back().names.emplace_back(name.get_string());
                name_next = false;
            }
        } else if (c == '{') {
            open.push_back({{}, true});
            name_next = true;
        } else if (c == '[') {
            open.push_back({{}, false});
            name_next = false;
        } else if (c == ',') {
            name_next = open.back().is_object;
        } else if (c == '}') {
            auto& names = open.back().names;
            std::ranges::sort(names);
            const auto twice = std::ranges::adjacent_find(names);
            if (twice != names.end()) return *twice;
            open.pop_back();
        } else if (c == ']') {
            open.pop_back();
        }
    }
    return std::nullopt;
}

/// The number tokens of a well-formed text, in order.
std::vector<std::string_view> number_tokens(std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == '"') {
            for (++at; text[at] != '"'; ++at) {
                if (text[at] == '\\') ++at;
            }
            ++at;
        } else if (text[at] == '-' || (text[at] >= '0' && text[at] <= '9')) {
            const auto end = std::min(text.find_first_not_of("+-.0123456789eE", at), text.size());
            out.push_back(text.substr(at, end - at));
            at = end;
        } else {
            ++at;
        }
    }
    return out;
}

void collect_numbers(Value& value, std::vector<Value*>& out) {
    if (value.is_number()) out.push_back(&value);
    if (auto* array = value.if_array()) {
        for (Value& item : *array) collect_numbers(item, out);
    }
    if (auto* object = value.if_object()) {
        for (auto& member : *object) collect_numbers(member.value(), out);
    }
}

/// Boost 1.81 reads about one double in ten with its last bit wrong; what is stored must come back
/// as it was. Needs a text in which no member stands twice, so that numbers and tokens pair up.
void correct_doubles(Value& value, std::string_view text) {
    std::vector<Value*> numbers;
    collect_numbers(value, numbers);
    if (std::ranges::none_of(numbers, [](const Value* number) { return number->is_double(); }))
        return;
    const auto tokens = number_tokens(text);
    for (std::size_t i = 0; i < std::min(numbers.size(), tokens.size()); ++i) {
        if (double* number = numbers[i]->if_double()) {
            std::from_chars(tokens[i].data(), tokens[i].data() + tokens[i].size(), *number);
        }
    }
}

void write_string(std::string_view text, std::string& out) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    std::size_t plain = 0;
    const auto flush = [&](std::size_t until) { out.append(text, plain, until - plain); };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        flush(i);
        plain = i + 1;
        out += '\\';
        switch (c) {
            case '"':
            case '\\':
                out += static_cast<char>(c);
                break;
            case '\n':
                out += 'n';
                break;
            case '\r':
                out += 'r';
                break;
            case '\t':
                out += 't';
                break;
            default:
                out += "u00";
                out += kHex[c >> 4];
                out += kHex[c & 15];
        }
    }
    flush(text.size());
    out += '"';
}

void write_double(double number, std::string& out) {
    const std::size_t start = out.size();
    fmt::format_to(std::back_inserter(out), "{}", number);
    // What was a double reads back as one.
    if (out.find_first_of(".e", start) == std::string::npos) out += ".0";
}

/// Boost's own serialiser writes 0.5 as 5E-1, which no person wants to read.
void append(const Value& value, bool sorted, std::string& out) {
    switch (value.kind()) {
        case boost::json::kind::null:
            out += "null";
            break;
        case boost::json::kind::bool_:
            out += value.get_bool() ? "true" : "false";
            break;
        case boost::json::kind::int64:
            fmt::format_to(std::back_inserter(out), "{}", value.get_int64());
            break;
        case boost::json::kind::uint64:
            fmt::format_to(std::back_inserter(out), "{}", value.get_uint64());
            break;
        case boost::json::kind::double_:
            write_double(value.get_double(), out);
            break;
        case boost::json::kind::string:
            write_string(value.get_string(), out);
            break;
        case boost::json::kind::array: {
            out += '[';
            bool first = true;
            for (const Value& item : value.get_array()) {
                if (!std::exchange(first, false)) out += ',';
                append(item, sorted, out);
            }
            out += ']';
            break;
        }
        case boost::json::kind::object: {
            const Object& object = value.get_object();
            std::vector<const boost::json::key_value_pair*> members;
            members.reserve(object.size());
            for (const auto& member : object) members.push_back(&member);
            if (sorted) {
                std::ranges::sort(members, {}, [](const auto* member) {
                    return std::string_view(member->key());
                });
            }
            out += '{';
            bool first = true;
            for (const auto* member : members) {
                if (!std::exchange(first, false)) out += ',';
                write_string(member->key(), out);
                out += ':';
                append(member->value(), sorted, out);
            }
            out += '}';
            break;
        }
    }
}

}  // namespace

result<Value> parse(std::string_view text, ParseLimits limits) {
    if (!is_valid_utf8(text))
        return fail(Code::kMalformed, "bad_utf8", "the JSON text is not valid UTF-8");
    boost::json::parse_options options;
    options.max_depth = limits.depth;
    boost::json::parser parser({}, options);
    boost::system::error_code error;
    const std::size_t used = parser.write(text.data(), text.size(), error);
    if (error == boost::json::error::too_deep) {
        return fail(Code::kRuleViolation, "too_deep",
                    fmt::format("the JSON is nested deeper than {}", limits.depth));
    }
    if (error) {
        return fail(Code::kMalformed, "malformed_json",
                    fmt::format("not valid JSON at byte {}: {}", used, error.message()));
    }
    Value value = parser.release();
    AETERNA_TRY(check(value, ""));
    if (auto name = repeated_name(text)) {
        return fail(Code::kMalformed, "duplicate_member",
                    fmt::format("the member \"{}\" is given twice", *name));
    }
    correct_doubles(value, text);
    return value;
}

result<Object> parse_object(std::string_view text, ParseLimits limits) {
    if (text.empty())
        return fail(Code::kMalformed, "malformed_json",
                    "a JSON object is needed, the body is empty");
    auto value = parse(text, limits);
    if (!value) return tl::unexpected(std::move(value).error());
    if (!value->is_object())
        return fail(Code::kMalformed, "wrong_type", "the body must be a JSON object");
    return std::move(value->get_object());
}

std::string write(const Value& value) {
    std::string out;
    append(value, false, out);
    return out;
}

std::string canonical(const Value& value) {
    std::string out;
    append(value, true, out);
    return out;
}

Reader::Reader(const Object& object, std::string path) : object_(object), path_(std::move(path)) {}

std::string Reader::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Reader::refuse(Code code, std::string reason, std::string message) {
    if (!error_) error_ = Error(code, std::move(reason), std::move(message));
}

void Reader::wrong_type(std::string_view name, std::string_view wanted) {
    refuse(Code::kMalformed, "wrong_type", fmt::format("{} must be {}", path_of(name), wanted));
}

bool Reader::has(std::string_view name) const {
    return object_.contains(name);
}

const Value* Reader::take(std::string_view name) {
    asked_.push_back(name);
    const Value* value = object_.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
}

const Value* Reader::any(std::string_view name) {
    asked_.push_back(name);
    return object_.if_contains(name);
}

std::optional<std::string> Reader::text(std::string_view name, std::size_t max_bytes) {
    const Value* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) {
        wrong_type(name, "a string");
        return std::nullopt;
    }
    if (value->get_string().size() > max_bytes) {
        refuse(Code::kTooLarge, "too_large",
               fmt::format("{} has {} bytes; at most {} are allowed", path_of(name),
                           value->get_string().size(), max_bytes));
        return std::nullopt;
    }
    return std::string(value->get_string());
}

std::string Reader::required_text(std::string_view name, std::size_t max_bytes) {
    auto value = text(name, max_bytes);
    if (!value) {
        refuse(Code::kMalformed, "missing_field", fmt::format("{} is required", path_of(name)));
        return {};
    }
    return std::move(*value);
}

std::optional<double> Reader::number(std::string_view name, double low, double high) {
    const Value* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) {
        wrong_type(name, "a number");
        return std::nullopt;
    }
    const double out = value->to_number<double>();
    if (!std::isfinite(out) || out < low || out > high) {
        refuse(Code::kRuleViolation, "out_of_range",
               fmt::format("{} must be from {} to {}", path_of(name), low, high));
        return std::nullopt;
    }
    return out;
}

std::optional<std::int64_t> Reader::integer(std::string_view name, std::int64_t low,
                                            std::int64_t high) {
    const Value* value = take(name);
    if (value == nullptr) return std::nullopt;
    boost::system::error_code error;
    const auto out = value->is_number() ? value->to_number<std::int64_t>(error) : 0;
    if (!value->is_number() || error) {
        wrong_type(name, "a whole number");
        return std::nullopt;
    }
    if (out < low || out > high) {
        refuse(Code::kRuleViolation, "out_of_range",
               fmt::format("{} must be from {} to {}", path_of(name), low, high));
        return std::nullopt;
    }
    return out;
}

std::optional<bool> Reader::flag(std::string_view name) {
    const Value* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_bool()) {
        wrong_type(name, "true or false");
        return std::nullopt;
    }
    return value->get_bool();
}

std::optional<Timestamp> Reader::time(std::string_view name) {
    const Value* value = take(name);
    if (value == nullptr) return std::nullopt;
    const auto parsed =
        value->is_string() ? parse_rfc3339(std::string_view(value->get_string())) : std::nullopt;
    if (!parsed) wrong_type(name, "an RFC 3339 time such as 2026-01-31T09:30:00Z");
    return parsed;
}

const Object* Reader::object(std::string_view name) {
    const Value* value = take(name);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) {
        wrong_type(name, "an object");
        return nullptr;
    }
    return &value->get_object();
}

const Array* Reader::array(std::string_view name, std::size_t max_items) {
    const Value* value = take(name);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) {
        wrong_type(name, "an array");
        return nullptr;
    }
    if (value->get_array().size() > max_items) {
        refuse(Code::kTooLarge, "too_many",
               fmt::format("{} has {} items; at most {} are allowed", path_of(name),
                           value->get_array().size(), max_items));
        return nullptr;
    }
    return &value->get_array();
}

std::vector<std::string> Reader::texts(std::string_view name, std::size_t max_items,
                                       std::size_t max_bytes) {
    std::vector<std::string> out;
    const Array* items = array(name, max_items);
    if (items == nullptr) return out;
    for (const Value& item : *items) {
        if (!item.is_string()) {
            wrong_type(name, "an array of strings");
            return {};
        }
        if (item.get_string().size() > max_bytes) {
            refuse(Code::kTooLarge, "too_large",
                   fmt::format("an item of {} is longer than {} bytes", path_of(name), max_bytes));
            return {};
        }
        out.emplace_back(item.get_string());
    }
    return out;
}

result<void> Reader::finish() {
    if (error_) return tl::unexpected(*error_);
    for (const auto& member : object_) {
        if (std::ranges::find(asked_, std::string_view(member.key())) == asked_.end()) {
            return fail(Code::kMalformed, "unknown_field",
                        fmt::format("{} is not a field of this request", path_of(member.key())));
        }
    }
    return {};
}

}  // namespace aeterna::json
