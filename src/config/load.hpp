#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "config/table.hpp"

namespace aeterna::config {

/// Where settings come from; the first that names one wins: flag, environment, file, default.
struct Sources {
    std::vector<std::pair<std::string, Given>> flags;  ///< setting name → what the flag said
    /// AETERNA_*, HOME, XDG_DATA_HOME and XDG_CONFIG_HOME; an empty text counts as absent.
    std::map<std::string, std::string> environment;
    std::optional<std::filesystem::path> file;  ///< --config; must exist
    std::filesystem::path working_folder;       ///< relative paths of flags and environment
    /// Looked at last when nothing names a file; tests point it elsewhere.
    std::filesystem::path system_file = "/etc/aeterna/config.yaml";
};
/// The environment and working folder of this process.
[[nodiscard]] Sources process_sources();

struct Described {
    std::string name;
    std::string value;   ///< secrets: "(set)" or "", never the text
    std::string source;  ///< "default", "flag --listen", "AETERNA_LISTEN", "/etc/…/config.yaml:3"
};

struct Loaded {
    Settings settings;
    std::optional<std::filesystem::path> file;  ///< the one that was read
    std::vector<Described> described;           ///< in the order of the table
    std::vector<std::string> warnings;          ///< environment names that look mistyped
};

/// Reads and checks everything. The error names every problem found (a line each, at most 20), with
/// file and line or with the flag or variable that caused it.
[[nodiscard]] result<Loaded> load(const Sources& sources);
/// What load does with a file's text, without touching a file system.
[[nodiscard]] result<Loaded> load_text(const Sources& sources, std::string_view text,
                                       const std::filesystem::path& file);

}  // namespace aeterna::config
