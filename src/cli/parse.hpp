#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace aeterna::cli {

/// A command line that was understood: the command and what was given to it, by the names of
/// cli/spec.hpp. Choices are checked; everything else is still text.
struct Invocation {
    std::string command;  ///< "memory add"
    std::map<std::string, std::vector<std::string>> given;

    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::optional<std::string> one(std::string_view name) const;
    /// Of one that is required, so that it is there.
    [[nodiscard]] std::string text(std::string_view name) const { return one(name).value_or(""); }
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
};

/// Somebody asked for help on this command, also by naming a mere group.
struct HelpWanted {
    std::string command;
};

/// The words after the program's name. Error kMalformed says what is wrong with them and, where one
/// is near, what was probably meant.
[[nodiscard]] result<std::variant<Invocation, HelpWanted>> parse(
    const std::vector<std::string>& words);

}  // namespace aeterna::cli
