#include "cli/table.hpp"

#include <algorithm>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/width.hpp"

namespace aeterna::cli {

namespace {

constexpr std::size_t kGap = 2;

std::string dressed(bool color, std::string_view code, std::string_view text) {
    if (!color || text.empty()) return std::string(text);
    return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string without_trailing_spaces(std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

}  // namespace

std::string Style::bold(std::string_view text) const {
    return dressed(color, "1", text);
}
std::string Style::dim(std::string_view text) const {
    return dressed(color, "2", text);
}
std::string Style::red(std::string_view text) const {
    return dressed(color, "31", text);
}
std::string Style::green(std::string_view text) const {
    return dressed(color, "32", text);
}

bool is_terminal(int descriptor) {
    return ::isatty(descriptor) == 1;
}

Style style_of(int descriptor) {
    Style out;
    if (!is_terminal(descriptor)) return out;
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    out.color = (no_color == nullptr || *no_color == '\0') &&
                (term == nullptr || std::string_view(term) != "dumb");
    winsize size{};
    // Wider than 120 columns makes wrapped text harder to read, not easier.
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
        out.width = std::clamp<std::size_t>(size.ws_col, 40, 120);
    return out;
}

void Table::add(std::vector<std::string> cells, std::string note) {
    cells.resize(columns_.size());
    rows_.push_back({std::move(cells), std::move(note)});
}

std::vector<std::size_t> Table::widths(std::size_t total) const {
    std::vector<std::size_t> out(columns_.size());
    std::size_t used = columns_.empty() ? 0 : kGap * (columns_.size() - 1);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        out[i] = display_width(columns_[i].title);
        for (const Row& row : rows_) out[i] = std::max(out[i], display_width(row.cells[i]));
        if (!columns_[i].stretch) {
            out[i] = std::min(out[i], columns_[i].max_width);
            used += out[i];
        }
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns_[i].stretch) out[i] = total > used + 10 ? total - used : 10;
    }
    return out;
}

std::string Table::render(const Style& style, std::size_t max_lines) const {
    const auto width = widths(style.width);
    std::string out;
    std::string head;
    std::size_t indent = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (i != 0) head += std::string(kGap, ' ');
        if (columns_[i].stretch) indent = display_width(head);
        head += padded(columns_[i].title, width[i], columns_[i].right);
    }
    out += style.bold(without_trailing_spaces(std::move(head))) + "\n";
    for (const Row& row : rows_) {
        std::vector<std::string> stretched;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (columns_[i].stretch) stretched = wrap(row.cells[i], width[i], max_lines);
        }
        for (std::size_t n = 0; n == 0 || n < stretched.size(); ++n) {
            std::string line;
            for (std::size_t i = 0; i < columns_.size(); ++i) {
                if (i != 0) line += std::string(kGap, ' ');
                std::string cell;
                if (columns_[i].stretch) {
                    cell = stretched[n];
                } else if (n == 0) {
                    cell = ellipsis(row.cells[i], width[i]);
                }
                line += padded(std::move(cell), width[i], columns_[i].right);
            }
            out += without_trailing_spaces(std::move(line)) + "\n";
        }
        if (!row.note.empty()) {
            // A note is mostly an id, which has 36 columns and must stay in one piece.
            const std::size_t left = std::min(indent, style.width > 40 ? style.width - 40 : 0);
            const std::size_t room = style.width - left;
            for (const std::string& line : wrap(row.note, room))
                out += std::string(left, ' ') + style.dim(line) + "\n";
        }
    }
    return out;
}

void Facts::add(std::string name, std::string value) {
    items_.emplace_back(std::move(name), std::move(value));
}

std::string Facts::render(const Style& style) const {
    std::size_t names = 0;
    for (const auto& [name, value] : items_) names = std::max(names, display_width(name));
    const std::size_t room = style.width > names + kGap + 10 ? style.width - names - kGap : 10;
    std::string out;
    for (const auto& [name, value] : items_) {
        bool first = true;
        for (const std::string& line : wrap(value, room)) {
            const std::string left = padded(first ? name : "", names);
            out += without_trailing_spaces((first ? style.bold(left) : left) +
                                           std::string(kGap, ' ') + line) +
                   "\n";
            first = false;
        }
    }
    return out;
}

}  // namespace aeterna::cli
