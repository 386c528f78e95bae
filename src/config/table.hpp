#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/settings.hpp"

namespace aeterna::config {

/// What a source says about one setting: one text, or several when it wrote a list.
struct Given {
    std::vector<std::string> texts;
    bool list = false;
};

/// One setting as an object: all there is to know about it, in one place. Help texts, flags,
/// environment names, `config show` and the reference are made from these.
struct Setting {
    std::string_view name;  ///< "server.listen", also its place in the YAML file
    std::string_view flag;  ///< "--listen"; empty for secrets, which a process list would show
    std::string_view env;   ///< "AETERNA_LISTEN"
    std::string type;       ///< for people: "host:port", "duration, 1s to 10m"
    std::string_view help;
    bool secret = false;
    bool list = false;
    bool common = false;  ///< most people need no other
    bool path = false;    ///< a relative one is taken from the file's folder or the working one
    std::function<result<void>(Settings&, const Given&)> set;
    std::function<std::string(const Settings&)> show;
};

[[nodiscard]] std::span<const Setting> settings_table();
[[nodiscard]] const Setting* find_setting(std::string_view name);
/// The known name that was probably meant; empty when none is near.
[[nodiscard]] std::string_view nearest_setting(std::string_view name);

}  // namespace aeterna::config
