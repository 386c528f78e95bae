#include "retrieval/analysis.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <utf8proc.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "retrieval/dates.hpp"
#include "retrieval/stemmer.hpp"

namespace aeterna::retrieval {

namespace {

constexpr std::size_t kMaxParts = 16;

enum class Kind : std::uint8_t {
    kGap,    ///< divides words
    kLower,  ///< letters without case are lower
    kUpper,
    kDigit,
    kPair,    ///< of a script that is written without spaces
    kSymbol,  ///< a term of its own, such as an emoji
    kMark,    ///< belongs to what is before it and is dropped
};

constexpr bool in_range(utf8proc_int32_t c, utf8proc_int32_t low, utf8proc_int32_t high) {
    return c >= low && c <= high;
}

bool written_without_spaces(utf8proc_int32_t c) {
    return in_range(c, 0x0E00, 0x0EFF) || in_range(c, 0x1000, 0x109F) ||
           in_range(c, 0x1780, 0x17FF) || in_range(c, 0x2E80, 0x2FDF) ||
           in_range(c, 0x3005, 0x3007) || in_range(c, 0x3041, 0x30FA) ||
           in_range(c, 0x30FC, 0x30FF) || in_range(c, 0x31F0, 0x31FF) ||
           in_range(c, 0x3400, 0x4DBF) || in_range(c, 0x4E00, 0x9FFF) ||
           in_range(c, 0xAC00, 0xD7A3) || in_range(c, 0xF900, 0xFAFF) ||
           in_range(c, 0xFF66, 0xFF9F) || in_range(c, 0x20000, 0x3FFFF);
}

/// Accents, vowel points and other signs that a reader may leave out.
bool is_optional_mark(utf8proc_int32_t c) {
    return in_range(c, 0x0300, 0x036F) || in_range(c, 0x0591, 0x05C7) || c == 0x0640 ||
           in_range(c, 0x064B, 0x065F) || c == 0x0670 || in_range(c, 0x1AB0, 0x1AFF) ||
           in_range(c, 0x1DC0, 0x1DFF) || in_range(c, 0x20D0, 0x20FF) || c == 0x3099 ||
           c == 0x309A || in_range(c, 0xFE00, 0xFE0F) || in_range(c, 0xFE20, 0xFE2F);
}

Kind kind_of(utf8proc_int32_t c) {
    if (c < 0x80) {
        if (c >= 'a' && c <= 'z') return Kind::kLower;
        if (c >= 'A' && c <= 'Z') return Kind::kUpper;
        if (c >= '0' && c <= '9') return Kind::kDigit;
        return Kind::kGap;
    }
    if (is_optional_mark(c)) return Kind::kMark;
    switch (utf8proc_category(c)) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LT:
            return Kind::kUpper;
        case UTF8PROC_CATEGORY_LL:
            return Kind::kLower;
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME:
            return written_without_spaces(c) ? Kind::kPair : Kind::kLower;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO:
            return Kind::kDigit;
        case UTF8PROC_CATEGORY_SO:
            return Kind::kSymbol;
        case UTF8PROC_CATEGORY_CF:
            return Kind::kMark;
        default:
            return Kind::kGap;
    }
}

void append(utf8proc_int32_t c, std::string& out) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto size = utf8proc_encode_char(c, bytes.data());
    if (size > 0) {
        out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
    }
}

/// Letters that look accented but have no decomposition.
std::string_view plain_letters(utf8proc_int32_t c) {
    switch (c) {
        case 0xE6:
            return "ae";
        case 0xF0:
            return "d";
        case 0xF8:
            return "o";
        case 0xFE:
            return "th";
        case 0x111:
            return "d";
        case 0x131:
            return "i";
        case 0x142:
            return "l";
        case 0x153:
            return "oe";
        default:
            return {};
    }
}

/// Adds the character without case, accents and width.
void append_folded(utf8proc_int32_t c, std::string& out) {
    if (c < 0x80) {
        out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
        return;
    }
    if (in_range(c, 0xAC00, 0xD7A3)) return append(c, out);  // would fall into its strokes
    std::array<utf8proc_int32_t, 32> buffer{};
    int boundary = 0;
    const auto count = utf8proc_decompose_char(
        c, buffer.data(), static_cast<utf8proc_ssize_t>(buffer.size()),
        static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD),
        &boundary);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(buffer.size())) return append(c, out);
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        if (is_optional_mark(buffer[i])) continue;
        if (const auto plain = plain_letters(buffer[i]); !plain.empty()) {
            out += plain;
        } else {
            append(buffer[i], out);
        }
    }
}

struct Character {
    utf8proc_int32_t code = 0;
    Kind kind = Kind::kGap;
    std::size_t begin = 0;
    std::size_t end = 0;
    [[nodiscard]] bool in_word() const {
        return kind == Kind::kLower || kind == Kind::kUpper || kind == Kind::kDigit;
    }
};

class Tokeniser {
  public:
    Tokeniser(std::string_view text, const TermSink& sink) : text_(text), sink_(sink) {}

    void run() {
        std::size_t at = 0;
        while (at < text_.size()) {
            const Character c = character_at(at);
            if (c.kind == Kind::kPair) {
                at = read_pairs(c);
            } else if (c.in_word()) {
                const auto date = c.code < 0x80 ? date_at(text_.substr(at)) : std::nullopt;
                at = date ? emit_date(*date, at) : read_word(c);
            } else {
                if (c.kind == Kind::kSymbol)
                    emit(text_.substr(c.begin, c.end - c.begin), c.begin, c.end);
                at = c.end;
            }
        }
    }

  private:
    struct Part {
        std::size_t folded_begin, folded_end, begin, end;
    };

    [[nodiscard]] Character character_at(std::size_t at) const {
        if (at >= text_.size()) return {0, Kind::kGap, at, at};
        const auto byte = static_cast<unsigned char>(text_[at]);
        if (byte < 0x80) return {byte, kind_of(byte), at, at + 1};
        utf8proc_int32_t code = 0;
        const auto size =
            utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text_.data() + at),
                             static_cast<utf8proc_ssize_t>(text_.size() - at), &code);
        if (size <= 0) return {0, Kind::kGap, at, at + 1};
        return {code, kind_of(code), at, at + static_cast<std::size_t>(size)};
    }

    void emit(std::string_view term, std::size_t begin, std::size_t end) {
        term = cut_utf8(term, kMaxTermBytes);
        if (!term.empty()) sink_(term, begin, end);
    }

    std::size_t emit_date(const WrittenDate& date, std::size_t at) {
        const std::size_t end = at + date.length;
        const auto put = [&](std::string_view term) { emit(term, at, end); };
        put(stem(month_name(date.month)));
        if (date.day != 0) {
            put(fmt::format("{}", date.day));
            put(fmt::format("{:02}-{:02}", date.month, date.day));
        }
        if (date.year != 0) {
            put(fmt::format("{:04}", date.year));
            put(fmt::format("{:04}-{:02}", date.year, date.month));
        }
        if (date.day != 0 && date.year != 0) {
            put(fmt::format("{:04}-{:02}-{:02}", date.year, date.month, date.day));
        }
        return end;
    }

    std::size_t read_pairs(Character c) {
        std::string term;
        std::size_t cut = 0;  // where the second character of the pair starts in `term`
        std::size_t count = 0;
        Character before;
        std::size_t end = c.begin;
        for (; c.kind == Kind::kPair || c.kind == Kind::kMark; c = character_at(c.end)) {
            if (c.end == c.begin) break;
            end = c.end;
            if (c.kind == Kind::kMark) continue;
            term.erase(0, cut);
            cut = term.size();
            append_folded(c.code, term);
            if (term.size() == cut) continue;
            ++count;
            if (count > 1) emit(term, before.begin, c.end);
            before = c;
        }
        if (count == 1) emit(term, before.begin, before.end);
        return end;
    }

    /// How a character that is no letter and no digit holds two parts of a word together.
    enum class Joint : std::uint8_t { kNone, kSilent, kKept };

    [[nodiscard]] Joint joint_at(const Character& c, const Character& before) const {
        const Character next = character_at(c.end);
        if (!next.in_word()) return Joint::kNone;
        switch (c.code) {
            case '_':
            case '.':
                return Joint::kKept;
            case '\'':
            case 0x2019:
                return before.kind != Kind::kDigit && next.kind != Kind::kDigit ? Joint::kSilent
                                                                                : Joint::kNone;
            case ',': {  // 1,000
                const auto digit = [&](std::size_t i) {
                    return character_at(c.end + i).kind == Kind::kDigit;
                };
                return before.kind == Kind::kDigit && digit(0) && digit(1) && digit(2) && !digit(3)
                           ? Joint::kSilent
                           : Joint::kNone;
            }
            default:
                return Joint::kNone;
        }
    }

    /// Possessive 's.
    [[nodiscard]] bool is_possessive(const Character& apostrophe) const {
        const Character s = character_at(apostrophe.end);
        return (s.code == 's' || s.code == 'S') && !character_at(s.end).in_word();
    }

    void open_part(std::size_t begin) {
        parts_.push_back({whole_.size(), whole_.size(), begin, begin});
    }
    void close_part(std::size_t end) {
        parts_.back().folded_end = whole_.size();
        parts_.back().end = end;
    }

    std::size_t read_word(Character c) {
        whole_.clear();
        parts_.clear();
        const std::size_t begin = c.begin;
        std::size_t end = c.begin;
        open_part(c.begin);
        Character before = c;
        while (true) {
            if (c.in_word()) {
                const bool new_part = c.begin != begin && !whole_.empty() &&
                                      whole_.size() != parts_.back().folded_begin &&
                                      divides(before, c);
                if (new_part) {
                    close_part(c.begin);
                    open_part(c.begin);
                }
                if (whole_.size() <= kMaxTermBytes) append_folded(c.code, whole_);
                end = c.end;
                before = c;
            } else if (c.kind != Kind::kMark || c.begin == c.end) {
                const Joint joint = joint_at(c, before);
                if (joint == Joint::kNone) break;
                if (joint == Joint::kSilent && c.code != ',' && is_possessive(c)) {
                    close_part(end);
                    emit_word(begin, end);
                    return character_at(c.end).end;
                }
                if (joint == Joint::kKept) {
                    close_part(c.begin);
                    if (whole_.size() <= kMaxTermBytes) whole_.push_back(static_cast<char>(c.code));
                    open_part(c.end);
                }
            }
            c = character_at(c.end);
        }
        close_part(end);
        emit_word(begin, end);
        return end;
    }

    [[nodiscard]] bool divides(const Character& a, const Character& b) const {
        if ((a.kind == Kind::kDigit) != (b.kind == Kind::kDigit)) return true;
        if (b.kind != Kind::kUpper) return false;
        if (a.kind == Kind::kLower) return true;
        // "HTTPServer": the last capital begins the next word.
        return a.kind == Kind::kUpper && character_at(b.end).kind == Kind::kLower;
    }

    void emit_word(std::size_t begin, std::size_t end) {
        if (parts_.size() == 1) {
            emit(stem(whole_), begin, end);
            return;
        }
        emit(whole_, begin, end);
        if (parts_.size() > kMaxParts || whole_.size() > kMaxTermBytes) return;
        for (const Part& part : parts_) {
            emit(stem(std::string_view(whole_).substr(part.folded_begin,
                                                      part.folded_end - part.folded_begin)),
                 part.begin, part.end);
        }
    }

    std::string_view text_;
    const TermSink& sink_;
    std::string whole_;
    std::vector<Part> parts_;
};

}  // namespace

void for_each_term(std::string_view text, const TermSink& sink) {
    Tokeniser(text, sink).run();
}

AnalysedText analyse(std::string_view text) {
    AnalysedText out;
    std::vector<std::uint64_t> hashes;
    hashes.reserve(text.size() / 5 + 1);
    for_each_term(text, [&](std::string_view term, std::size_t, std::size_t) {
        hashes.push_back(stable_hash(term));
    });
    std::ranges::sort(hashes);
    out.length = static_cast<std::uint32_t>(hashes.size());
    for (const std::uint64_t hash : hashes) {
        if (out.terms.empty() || out.terms.back().hash != hash) out.terms.push_back({hash, 0});
        ++out.terms.back().count;
    }
    return out;
}

namespace {

/// Words that a question is built with and that say nothing of what it is about. In a small scope
/// they are rare enough to win a ranking, so a query leaves them out; documents keep them.
constexpr std::string_view kFunctionWords =
    "a about an and any are as at be been being but by can could did do does for from had has have "
    "he her hers him his "
    "how i if in into is it its me my of on or our ours she should so some than that the their "
    "them then there these "
    "they this those to us was we were what when where which who whom whose why will with would "
    "you your yours";

const std::unordered_set<std::uint64_t>& function_words() {
    static const auto* words = [] {
        auto* out = new std::unordered_set<std::uint64_t>();
        for_each_term(kFunctionWords, [out](std::string_view term, std::size_t, std::size_t) {
            out->insert(stable_hash(term));
        });
        return out;
    }();
    return *words;
}

}  // namespace

std::vector<QueryTerm> analyse_query(std::string_view text, std::size_t limit) {
    std::vector<QueryTerm> out;
    std::unordered_map<std::uint64_t, std::size_t> seen;
    for_each_term(text, [&](std::string_view term, std::size_t begin, std::size_t end) {
        const std::uint64_t hash = stable_hash(term);
        if (const auto found = seen.find(hash); found != seen.end()) {
            ++out[found->second].count;
        } else if (out.size() < limit) {
            seen.emplace(hash, out.size());
            out.push_back({hash, 1, std::string(text.substr(begin, end - begin))});
        }
    });
    const auto says_nothing = [](const QueryTerm& term) {
        return function_words().contains(term.hash);
    };
    if (!std::ranges::all_of(out, says_nothing)) std::erase_if(out, says_nothing);
    return out;
}

}  // namespace aeterna::retrieval
