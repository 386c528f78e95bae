// Any bytes as JSON: parse, and what parses must survive write and canonical unchanged.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace aeterna;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto value = json::parse(text);
    if (!value) return 0;
    const std::string canonical = json::canonical(*value);
    const auto again = json::parse(canonical);
    if (!again || json::canonical(*again) != canonical) std::abort();
    if (!json::parse(json::write(*value))) std::abort();
    return 0;
}
