#pragma once
#include <string_view>

namespace aeterna {
inline constexpr std::string_view kVersion = "0.1.0";
}
