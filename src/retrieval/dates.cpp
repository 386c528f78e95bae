#include "retrieval/dates.hpp"

#include <array>

namespace aeterna::retrieval {

namespace {

constexpr std::array<std::string_view, 12> kMonths{"january",   "february", "march",    "april",
                                                   "may",       "june",     "july",     "august",
                                                   "september", "october",  "november", "december"};

constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// Bytes of other scripts count as letters: a word that goes on is not a month.
constexpr bool is_word(char c) {
    return is_digit(c) || is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] std::size_t at() const { return at_; }
    void back_to(std::size_t position) { at_ = position; }
    [[nodiscard]] bool more() const { return at_ < text_.size(); }
    [[nodiscard]] bool word_goes_on() const { return more() && is_word(text_[at_]); }

    bool take(char c) {
        if (!more() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    /// `least` to `most` digits that no further digit follows; 0 when there are none such.
    int number(std::size_t least, std::size_t most) {
        std::size_t end = at_;
        int value = 0;
        while (end < text_.size() && end - at_ <= most && is_digit(text_[end])) {
            value = value * 10 + (text_[end] - '0');
            ++end;
        }
        if (end - at_ < least || end - at_ > most) return 0;
        at_ = end;
        return value;
    }
    std::string_view letters(std::size_t most) {
        std::size_t end = at_;
        while (end < text_.size() && end - at_ <= most && is_letter(text_[end])) ++end;
        const auto word = text_.substr(at_, end - at_);
        at_ = end;
        return word;
    }
    /// 1 or 2 spaces.
    bool gap() {
        if (!take(' ')) return false;
        take(' ');
        return true;
    }

  private:
    std::string_view text_;
    std::size_t at_ = 0;
};

bool same(std::string_view word, std::string_view lower_case) {
    if (word.size() != lower_case.size()) return false;
    for (std::size_t i = 0; i < word.size(); ++i) {
        if (lower(word[i]) != lower_case[i]) return false;
    }
    return true;
}

int month_called(std::string_view word) {
    for (std::size_t i = 0; i < kMonths.size(); ++i) {
        const auto name = kMonths[i];
        if (same(word, name) || same(word, name.substr(0, 3)) ||
            (i == 8 && same(word, name.substr(0, 4)))) {
            return static_cast<int>(i) + 1;
        }
    }
    return 0;
}

int read_month(Reader& in) {
    const std::size_t start = in.at();
    const int month = month_called(in.letters(9));
    if (month == 0 || in.word_goes_on()) {
        in.back_to(start);
        return 0;
    }
    const std::size_t dot = in.at();
    if (in.take('.') && in.word_goes_on()) in.back_to(dot);
    return month;
}

int read_day(Reader& in) {
    const std::size_t start = in.at();
    const int day = in.number(1, 2);
    if (day < 1 || day > 31) {
        in.back_to(start);
        return 0;
    }
    if (in.word_goes_on()) {
        const auto suffix = in.letters(2);
        if ((!same(suffix, "st") && !same(suffix, "nd") && !same(suffix, "rd") &&
             !same(suffix, "th")) ||
            in.word_goes_on()) {
            in.back_to(start);
            return 0;
        }
    }
    return day;
}

int read_year(Reader& in) {
    const std::size_t start = in.at();
    const int year = in.number(4, 4);
    if (year < 1000 || in.word_goes_on()) {
        in.back_to(start);
        return 0;
    }
    return year;
}

std::optional<WrittenDate> numeric_date(std::string_view text) {
    Reader in(text);
    const int year = in.number(4, 4);
    if (year < 1000 || !in.more()) return std::nullopt;
    const char divider = text[in.at()];
    if (divider != '-' && divider != '/' && divider != '.') return std::nullopt;
    in.take(divider);
    const int month = in.number(1, 2);
    if (month < 1 || month > 12 || !in.take(divider)) return std::nullopt;
    const int day = in.number(1, 2);
    if (day < 1 || day > 31) return std::nullopt;
    return WrittenDate{year, month, day, in.at()};
}

void read_year_after(Reader& in, WrittenDate& date) {
    const std::size_t start = in.at();
    in.take(',');
    if (in.gap()) date.year = read_year(in);
    if (date.year == 0) in.back_to(start);
}

std::optional<WrittenDate> day_first(std::string_view text) {
    Reader in(text);
    WrittenDate date;
    date.day = read_day(in);
    if (date.day == 0 || !in.gap()) return std::nullopt;
    const std::size_t before_of = in.at();
    if (!same(in.letters(2), "of") || !in.gap()) in.back_to(before_of);
    date.month = read_month(in);
    if (date.month == 0) return std::nullopt;
    read_year_after(in, date);
    date.length = in.at();
    return date;
}

std::optional<WrittenDate> month_first(std::string_view text) {
    Reader in(text);
    WrittenDate date;
    date.month = read_month(in);
    if (date.month == 0) return std::nullopt;
    const std::size_t after_month = in.at();
    if (in.gap()) date.day = read_day(in);
    if (date.day == 0) in.back_to(after_month);
    read_year_after(in, date);
    if (date.day == 0 && date.year == 0) return std::nullopt;
    date.length = in.at();
    return date;
}

}  // namespace

std::optional<WrittenDate> date_at(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (is_letter(text.front())) return month_first(text);
    if (!is_digit(text.front())) return std::nullopt;
    if (auto date = numeric_date(text)) return date;
    return day_first(text);
}

std::string_view month_name(int month) {
    return month < 1 || month > 12 ? std::string_view()
                                   : kMonths[static_cast<std::size_t>(month - 1)];
}

}  // namespace aeterna::retrieval
