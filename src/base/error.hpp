#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace aeterna {

/// The closed list of ways in which a call can fail. `traits(code)` answers the three questions
/// every caller has.
enum class Code : std::uint8_t {
    kMalformed,         ///< the request cannot be read
    kUnauthenticated,   ///< nobody we know
    kForbidden,         ///< somebody we know, who may not
    kNotFound,          ///< no such thing, or not for this tenant
    kMethodNotAllowed,  ///< the route exists, the method does not
    kConflict,          ///< the thing changed, or another one is in the way
    kTooLarge,          ///< over a limit of size
    kUnsupportedMedia,  ///< not a content type that is accepted here
    kRuleViolation,     ///< readable, but breaks a rule
    kRateLimited,       ///< too many, come back later
    kNotBuilt,          ///< in the contract, not in this program
    kUnavailable,       ///< a dependency is away; nothing happened
    kDeadlineExceeded,  ///< the caller's time ran out before anything happened
    kOutcomeUnknown,    ///< it may have happened: ask again with the same key
    kStorageFull,       ///< no room on the disk; nothing happened
    kCorrupt,           ///< stored data does not read back
    kInternal,          ///< a bug
};

enum class Fault : std::uint8_t { kCaller, kDependency, kAeterna };
enum class Effect : std::uint8_t { kNone, kUnknown };

struct CodeTraits {
    std::string_view name;
    bool retryable;
    Fault fault;
    Effect effect;
    int status;  ///< HTTP
};

[[nodiscard]] const CodeTraits& traits(Code code) noexcept;

struct Error {
    using Value = std::variant<std::int64_t, std::string>;

    Code code = Code::kInternal;
    std::string reason;   ///< machine code for programs, snake_case; empty: the code's own name
    std::string message;  ///< for people: what is wrong and what to do
    std::vector<std::pair<std::string, Value>> details;  ///< extra members of the error body

    Error(Code c, std::string machine_code, std::string text)
        : code(c), reason(std::move(machine_code)), message(std::move(text)) {}
    Error(Code c, std::string text) : code(c), message(std::move(text)) {}

    [[nodiscard]] std::string_view machine_code() const noexcept {
        return reason.empty() ? traits(code).name : std::string_view(reason);
    }
    [[nodiscard]] bool retryable() const noexcept { return traits(code).retryable; }

    Error&& with(std::string name, Value value) && {
        details.emplace_back(std::move(name), std::move(value));
        return std::move(*this);
    }
};

}  // namespace aeterna
