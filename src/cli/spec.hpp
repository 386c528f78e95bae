#pragma once
#include <string>
#include <string_view>
#include <vector>

/// The command line as data: the parser, the help texts and the completion scripts are all made
/// from this one tree.
namespace aeterna::cli {

struct OptionSpec {
    std::string name;   ///< "--layer", or "TEXT" for a positional one
    std::string brief;  ///< "-n" or empty
    std::string value;  ///< what follows it, "NAME"; empty: a switch
    std::string help;
    std::vector<std::string> choices;  ///< empty: any text
    bool many = false;                 ///< may be repeated
    bool required = false;
    bool secondary = false;  ///< listed last, under "More options"

    [[nodiscard]] bool positional() const { return !name.starts_with('-'); }
};

struct CommandSpec {
    std::string name;
    std::string summary;      ///< one line, in the list of its parent
    std::string description;  ///< paragraphs above the options; may be empty
    std::vector<OptionSpec> options;
    std::vector<std::string> examples;  ///< complete command lines, each may end in "  # why"
    std::vector<CommandSpec> children;

    [[nodiscard]] const CommandSpec* child(std::string_view word) const;
    [[nodiscard]] const OptionSpec* option(std::string_view flag) const;
};

/// `aeterna` itself.
[[nodiscard]] const CommandSpec& program();
/// The command behind "memory add"; null when there is none.
[[nodiscard]] const CommandSpec* find_command(std::string_view path);

struct IdentifierFlag {
    std::string_view flag;    ///< "--user"
    std::string_view member;  ///< "userId"
    std::string_view layer;   ///< "user"
};
/// Most specific layer first, as the layers are.
[[nodiscard]] const std::vector<IdentifierFlag>& identifier_flags();

}  // namespace aeterna::cli
