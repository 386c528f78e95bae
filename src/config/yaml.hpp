#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/table.hpp"

namespace aeterna::config {

/// One value of a settings file: nested names are joined by dots.
struct YamlEntry {
    std::string name;
    Given value;
    int line = 0;  ///< counted from 1
};

inline constexpr std::size_t kMaxYamlBytes = 256 * 1024;
inline constexpr std::size_t kMaxYamlDepth = 8;
inline constexpr std::size_t kMaxYamlValues = 2000;

/// A flat view of one YAML document of nested maps, scalars and lists of scalars. Refused, with
/// "<file>:<line>: ..." as message: anchors and aliases (they multiply), tags, a name given twice,
/// empty values, a second document, more than the limits above. kMalformed, kTooLarge.
[[nodiscard]] result<std::vector<YamlEntry>> read_yaml(std::string_view text,
                                                       std::string_view file);

}  // namespace aeterna::config
