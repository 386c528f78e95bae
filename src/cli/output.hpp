#pragma once
#include <string_view>

#include "base/error.hpp"

namespace aeterna::cli {

/// To standard output, whole. A reader that has gone (`| head`) is no error.
void print(std::string_view text);
/// A line on standard error.
void note(std::string_view text);
/// "error: ..." on standard error; the exit status that fits.
[[nodiscard]] int report(const Error& error);
[[nodiscard]] int exit_code_of(const Error& error);

}  // namespace aeterna::cli
