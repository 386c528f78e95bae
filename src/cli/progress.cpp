#include "cli/progress.hpp"

#include <cstdio>

#include "cli/table.hpp"
#include "cli/width.hpp"

namespace aeterna::cli {

using std::chrono::steady_clock;

Progress::Progress()
    : wanted_(is_terminal(2)), next_(steady_clock::now() + std::chrono::seconds(2)) {}

Progress::~Progress() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(std::string_view text) {
    if (!wanted_ || steady_clock::now() < next_) return;
    next_ = steady_clock::now() + std::chrono::milliseconds(200);
    shown_ = true;
    std::fprintf(stderr, "\r\x1b[K%s", ellipsis(printable(text), style_of(2).width - 1).c_str());
    std::fflush(stderr);
}

}  // namespace aeterna::cli
