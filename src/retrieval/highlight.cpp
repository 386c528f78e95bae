#include "retrieval/highlight.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

#include "base/hash.hpp"
#include "retrieval/analysis.hpp"

namespace aeterna::retrieval {

namespace {

struct Window {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::unordered_set<std::uint64_t> terms;
};

bool inside_character(std::string_view text, std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

/// Widens a window to about `width`, then narrows its ends to whole words and characters.
std::string cut_out(std::string_view content, std::size_t begin, std::size_t end,
                    std::size_t width) {
    const std::size_t used = end - begin;
    const std::size_t margin = used < width ? (width - used) / 2 : 0;
    std::size_t from = begin > margin ? begin - margin : 0;
    std::size_t to = std::min(content.size(), end + margin);
    if (from > 0) {
        const auto space = content.find(' ', from);
        if (space < begin) from = space + 1;
    }
    if (to < content.size()) {
        const auto space = content.rfind(' ', to);
        if (space != std::string_view::npos && space >= end) to = space;
    }
    while (from > 0 && inside_character(content, from)) --from;
    while (to < content.size() && inside_character(content, to)) ++to;
    std::string out = from > 0 ? "…" : "";
    out += content.substr(from, to - from);
    if (to < content.size()) out += "…";
    std::ranges::replace_if(out, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    return out;
}

}  // namespace

std::vector<std::string> highlights(std::string_view content,
                                    std::span<const std::string> looked_for, std::size_t max,
                                    std::size_t width) {
    std::unordered_set<std::uint64_t> wanted;
    for (const std::string& text : looked_for) {
        for_each_term(text, [&](std::string_view term, std::size_t, std::size_t) {
            wanted.insert(stable_hash(term));
        });
    }
    std::vector<Window> windows;
    for_each_term(content, [&](std::string_view term, std::size_t begin, std::size_t end) {
        const std::uint64_t hash = stable_hash(term);
        if (!wanted.contains(hash)) return;
        if (windows.empty() || end > windows.back().begin + width) {
            windows.push_back({begin, std::min(end, begin + width), {}});
        }
        windows.back().end =
            std::max(windows.back().end, std::min(end, windows.back().begin + width));
        windows.back().terms.insert(hash);
    });
    std::ranges::sort(windows, [](const Window& a, const Window& b) {
        return a.terms.size() != b.terms.size() ? a.terms.size() > b.terms.size()
                                                : a.begin < b.begin;
    });
    windows.resize(std::min(windows.size(), max));
    std::ranges::sort(windows, {}, &Window::begin);
    std::vector<std::string> out;
    out.reserve(windows.size());
    for (const Window& window : windows) {
        out.push_back(cut_out(content, window.begin, window.end, width));
    }
    return out;
}

}  // namespace aeterna::retrieval
