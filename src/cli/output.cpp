#include "cli/output.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <unistd.h>

#include "cli/main.hpp"
#include "cli/table.hpp"
#include "cli/width.hpp"

namespace aeterna::cli {

namespace {

/// False when the reader has gone or the disk is full.
bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace

void print(std::string_view text) {
    if (write_all(1, text)) return;
    if (errno == EPIPE) std::_Exit(kOk);
    write_all(2, "error: standard output cannot be written\n");
    std::_Exit(kFailed);
}

void note(std::string_view text) {
    write_all(2, std::string(text) + "\n");
}

int exit_code_of(const Error& error) {
    switch (error.code) {
        case Code::kUnauthenticated:
        case Code::kForbidden:
            return kRefused;
        case Code::kUnavailable:
        case Code::kDeadlineExceeded:
        case Code::kOutcomeUnknown:
            return kUnreachable;
        default:
            break;
    }
    return error.reason == "usage" || error.reason == "bad_settings" ? kUsage : kFailed;
}

int report(const Error& error) {
    note(style_of(2).red("error:") + " " + printable(error.message, true));
    return exit_code_of(error);
}

}  // namespace aeterna::cli
