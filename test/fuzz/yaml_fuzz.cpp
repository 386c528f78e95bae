// Any bytes as a settings file: never a crash, never more than the limits, never a half result.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/load.hpp"
#include "config/yaml.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace aeterna::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto entries = read_yaml(text, "f");
    if (entries && entries->size() > kMaxYamlValues) std::abort();
    if (!entries && !entries.error().message.starts_with("f:")) std::abort();
    Sources sources;
    sources.environment["HOME"] = "/home/u";
    sources.working_folder = "/";
    const auto loaded = load_text(sources, text, "/f");
    // What was accepted shows every setting, and none of them leaves its bounds.
    if (loaded && loaded->described.size() != settings_table().size()) std::abort();
    if (loaded && loaded->settings.limits.json_depth > 256) std::abort();
    if (loaded && !entries) std::abort();
    return 0;
}
