#include "cli/width.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <utf8proc.h>

#include "base/text.hpp"

namespace aeterna::cli {

namespace {

/// The character at the front: its bytes and columns. Never zero bytes for non-empty text.
struct Glyph {
    std::string_view bytes;
    std::size_t columns = 0;
};

Glyph first(std::string_view text) {
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                         static_cast<utf8proc_ssize_t>(text.size()), &point);
    if (length <= 0) return {text.substr(0, 1), 1};
    const int columns = utf8proc_charwidth(point);
    return {text.substr(0, static_cast<std::size_t>(length)),
            static_cast<std::size_t>(std::max(columns, 0))};
}

/// The longest front of at most `width` columns.
std::string_view fitting(std::string_view text, std::size_t width) {
    std::size_t bytes = 0;
    std::size_t columns = 0;
    while (bytes < text.size()) {
        const Glyph glyph = first(text.substr(bytes));
        if (columns + glyph.columns > width) break;
        columns += glyph.columns;
        bytes += glyph.bytes.size();
    }
    return text.substr(0, bytes);
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Glyph glyph = first(text);
        columns += glyph.columns;
        text.remove_prefix(glyph.bytes.size());
    }
    return columns;
}

std::string printable(std::string_view text, bool lines) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        utf8proc_int32_t point = 0;
        const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                             static_cast<utf8proc_ssize_t>(text.size()), &point);
        if (length <= 0) {
            out += "\ufffd";
            text.remove_prefix(1);
            continue;
        }
        const auto bytes = static_cast<std::size_t>(length);
        const bool steers = point < 0x20 || (point >= 0x7f && point < 0xa0) ||
                            (point >= 0x202a && point <= 0x202e) ||  // writing direction
                            (point >= 0x2066 && point <= 0x2069);
        if (point == '\n' && lines) {
            out += '\n';
        } else if (point == '\n' || point == '\t' || point == '\r') {
            if (!(point == '\r' && text.substr(bytes).starts_with('\n'))) out += ' ';
        } else if (steers) {
            out += fmt::format("\\u{{{:x}}}", point);
        } else {
            out += text.substr(0, bytes);
        }
        text.remove_prefix(bytes);
    }
    return out;
}

std::string ellipsis(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    if (width == 0) return {};
    return std::string(fitting(text, width - 1)) + "…";
}

std::vector<std::string> wrap(std::string_view text, std::size_t width, std::size_t max_lines) {
    width = std::max<std::size_t>(width, 2);  // the widest character must fit
    std::vector<std::string> out;
    std::string line;
    std::size_t columns = 0;
    const auto flush = [&] {
        out.push_back(std::move(line));
        line.clear();
        columns = 0;
    };
    while (!text.empty() && (max_lines == 0 || out.size() <= max_lines)) {
        const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
        std::string_view word = text.substr(0, end);
        const bool breaks = end < text.size() && text[end] == '\n';
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t size = display_width(word);
        if (columns != 0 && columns + 1 + size > width) flush();
        if (columns != 0 && !word.empty()) {
            line += ' ';
            ++columns;
        }
        while (display_width(word) > width - columns) {
            const std::string_view piece = fitting(word, width - columns);
            line += piece;
            word.remove_prefix(piece.size());
            flush();
        }
        line += word;
        columns += display_width(word);
        if (breaks) flush();
    }
    if (!line.empty() || out.empty()) flush();
    if (max_lines != 0 && out.size() > max_lines) {
        out.resize(max_lines);
        out.back() = display_width(out.back()) < width ? out.back() + "…"
                                                       : ellipsis(out.back() + "…", width);
    }
    return out;
}

std::string padded(std::string text, std::size_t width, bool right) {
    const std::size_t columns = display_width(text);
    if (columns >= width) return text;
    const std::string space(width - columns, ' ');
    return right ? space + text : text + space;
}

}  // namespace aeterna::cli
