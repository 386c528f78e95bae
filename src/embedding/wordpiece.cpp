#include "embedding/wordpiece.hpp"

#include <algorithm>
#include <array>

#include <utf8proc.h>

namespace aeterna::embedding {

namespace {

constexpr std::size_t kLongestWord = 100;  // characters, as the model was trained

enum class Kind : std::uint8_t { kLetter, kMark, kPunctuation, kSpace, kDropped };

constexpr Kind ascii_kind(unsigned char c) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return Kind::kSpace;
    if (c < 0x20 || c == 0x7f) return Kind::kDropped;
    const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return word ? Kind::kLetter : Kind::kPunctuation;
}

constexpr auto kAsciiKinds = [] {
    std::array<Kind, 128> kinds{};
    for (unsigned char c = 0; c < 128; ++c) kinds[c] = ascii_kind(c);
    return kinds;
}();

Kind kind_of(utf8proc_int32_t c) {
    if (c < 128) return kAsciiKinds[static_cast<std::size_t>(c)];
    if (c == 0xfffd) return Kind::kDropped;
    switch (utf8proc_category(c)) {
        case UTF8PROC_CATEGORY_MN:
            return Kind::kMark;
        case UTF8PROC_CATEGORY_ZS:
        case UTF8PROC_CATEGORY_ZL:
        case UTF8PROC_CATEGORY_ZP:
            return Kind::kSpace;
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CS:
        case UTF8PROC_CATEGORY_CO:
            return Kind::kDropped;
        case UTF8PROC_CATEGORY_PC:
        case UTF8PROC_CATEGORY_PD:
        case UTF8PROC_CATEGORY_PS:
        case UTF8PROC_CATEGORY_PE:
        case UTF8PROC_CATEGORY_PI:
        case UTF8PROC_CATEGORY_PF:
        case UTF8PROC_CATEGORY_PO:
            return Kind::kPunctuation;
        default:
            return Kind::kLetter;
    }
}

bool is_ideograph(utf8proc_int32_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
           (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
           (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

}  // namespace

/// Collects the characters of one word and cuts it when it ends.
class WordPiece::Word {
  public:
    Word(const TableView& table, TokenSink& sink) : table_(table), sink_(sink) {}

    void add_ascii(char c) {
        if (++characters_ > kLongestWord) return;
        bytes_[size_++] = c;
    }
    void add(utf8proc_int32_t c) {
        if (++characters_ > kLongestWord) return;
        size_ += static_cast<std::size_t>(
            utf8proc_encode_char(c, reinterpret_cast<utf8proc_uint8_t*>(bytes_.data() + size_)));
    }
    void end() {
        if (characters_ == 0) return;
        if (characters_ > kLongestWord || !cut()) count_ = 0, pieces_[count_++] = table_.unknown();
        for (std::size_t i = 0; i < count_; ++i) sink_.token(pieces_[i]);
        size_ = characters_ = count_ = 0;
    }

  private:
    bool cut() {
        const std::string_view word(bytes_.data(), size_);
        for (std::size_t start = 0; start < size_;) {
            const std::size_t length = longest_from(word.substr(start), start != 0);
            if (length == 0) return false;
            start += length;
        }
        return true;
    }

    /// Appends the longest piece that begins here and returns its length; 0: there is none.
    std::size_t longest_from(std::string_view rest, bool continues) {
        const std::size_t limit = std::min(rest.size(), table_.longest_piece());
        StepwiseHash hash;
        if (continues) hash.step('#'), hash.step('#');
        for (std::size_t i = 0; i < limit; ++i) {
            hash.step(rest[i]);
            hashes_[i] = hash.folded();
        }
        for (std::size_t length = limit; length > 0; --length) {
            if (const auto id =
                    table_.find(hashes_[length - 1], rest.substr(0, length), continues)) {
                pieces_[count_++] = *id;
                return length;
            }
        }
        return 0;
    }

    const TableView& table_;
    TokenSink& sink_;
    std::size_t size_ = 0, characters_ = 0, count_ = 0;
    std::array<char, kLongestWord * 4> bytes_;
    std::array<TokenId, kLongestWord * 4> pieces_;
    std::array<std::uint32_t, 256> hashes_;
};

void WordPiece::tokenize(std::string_view text, TokenSink& sink) const {
    Word word(table_, sink);
    const auto take = [&](utf8proc_int32_t c) {
        switch (kind_of(c)) {
            case Kind::kLetter:
                word.add(utf8proc_tolower(c));
                break;
            case Kind::kPunctuation:
                word.end();
                word.add(c);
                word.end();
                break;
            case Kind::kSpace:
                word.end();
                break;
            case Kind::kMark:
            case Kind::kDropped:
                break;
        }
    };

    const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const auto* const end = at + text.size();
    while (at < end) {
        if (*at < 128) {
            const char c = static_cast<char>(*at++);
            if (kAsciiKinds[static_cast<std::size_t>(c)] == Kind::kLetter) {
                word.add_ascii(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
            } else {
                take(c);
            }
            continue;
        }
        utf8proc_int32_t c = 0;
        const auto length = utf8proc_iterate(at, end - at, &c);
        if (length <= 0) {
            ++at;
            continue;
        }
        at += length;
        const Kind kind = kind_of(c);
        if (kind == Kind::kSpace || kind == Kind::kDropped) {
            take(c);
            continue;
        }
        const bool alone = is_ideograph(c);
        if (alone) word.end();
        std::array<utf8proc_int32_t, 16> parts;
        int boundary = 0;
        const auto count =
            utf8proc_decompose_char(c, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, &boundary);
        for (utf8proc_ssize_t i = 0; i < std::min<utf8proc_ssize_t>(count, 16); ++i) {
            take(parts[static_cast<std::size_t>(i)]);
        }
        if (alone) word.end();
    }
    word.end();
}

}  // namespace aeterna::embedding
