#include "embedding/table_view.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

static_assert(std::endian::native == std::endian::little, "the table is read in place");

extern "C" {
extern const std::byte aeterna_static_table[];
extern const std::byte aeterna_static_table_end[];
}

namespace aeterna::embedding {

namespace {

constexpr std::string_view kMagic = "AETTABLE";
constexpr std::uint32_t kVersion = 1;
constexpr TokenId kEmptySlot = 0xffff;

struct Header {
    char magic[8];
    std::uint32_t version;
    std::uint32_t dimensions;
    std::uint32_t rows;
    std::uint32_t slots;
    std::uint32_t unknown;
    std::uint32_t longest_piece;
    std::uint64_t scales;
    std::uint64_t vectors;
    std::uint64_t token_ends;
    std::uint64_t tokens;
    std::uint64_t slot_table;
    std::uint64_t total;
    char reserved[16];
    std::uint8_t hash[32];
};
static_assert(sizeof(Header) == 128);

tl::unexpected<Error> unreadable(std::string_view why) {
    return fail(Code::kCorrupt, "embedding_table_corrupt",
                "the embedding table cannot be used: " + std::string(why) +
                    "; make it again with tools/distill/distill.py and rebuild");
}

}  // namespace

result<TableView> TableView::open(std::span<const std::byte> bytes) {
    Header header;
    if (bytes.size() < sizeof header) return unreadable("shorter than its header");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::string_view(header.magic, sizeof header.magic) != kMagic) {
        return unreadable("it does not begin with AETTABLE");
    }
    if (header.version != kVersion) {
        return unreadable("version " + std::to_string(header.version) + " is not version 1");
    }
    if (header.total != bytes.size()) return unreadable("its size is not the one it was made with");
    if (header.dimensions == 0 || header.dimensions > 4096 || header.rows == 0 ||
        header.rows >= kEmptySlot || header.unknown >= header.rows || header.longest_piece == 0 ||
        header.longest_piece > 255 || !std::has_single_bit(header.slots) ||
        header.slots <= header.rows || header.slots > (1U << 20)) {
        return unreadable("its header has impossible numbers");
    }
    const auto holds = [&](std::uint64_t offset, std::uint64_t size) {
        return offset % 4 == 0 && offset >= sizeof header && offset <= header.total &&
               size <= header.total - offset;
    };
    const std::uint64_t rows = header.rows;
    if (std::bit_cast<std::uintptr_t>(bytes.data()) % 4 != 0 ||
        !holds(header.scales, rows * sizeof(float)) ||
        !holds(header.vectors, rows * header.dimensions) ||
        !holds(header.token_ends, (rows + 1) * sizeof(std::uint32_t)) || !holds(header.tokens, 0) ||
        !holds(header.slot_table, header.slots * sizeof(TokenId))) {
        return unreadable("a part of it lies outside");
    }

    TableView view;
    view.bytes_ = bytes;
    view.dimensions_ = header.dimensions;
    view.rows_ = header.rows;
    view.slot_count_ = header.slots;
    view.longest_piece_ = header.longest_piece;
    view.unknown_ = static_cast<TokenId>(header.unknown);
    std::ranges::copy(header.hash, view.hash_.begin());
    const auto at = [&]<class T>(std::uint64_t offset, const T*) {
        return reinterpret_cast<const T*>(bytes.data() + offset);
    };
    view.scales_ = at(header.scales, view.scales_);
    view.vectors_ = at(header.vectors, view.vectors_);
    view.token_ends_ = at(header.token_ends, view.token_ends_);
    view.tokens_ = at(header.tokens, view.tokens_);
    view.slots_ = at(header.slot_table, view.slots_);
    const auto text_room = static_cast<std::uint64_t>(header.total - header.tokens);
    if (view.token_ends_[rows] > text_room) return unreadable("its vocabulary lies outside");
    return view;
}

result<void> TableView::verify() const {
    std::string copy(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
    std::fill_n(copy.begin() + static_cast<std::ptrdiff_t>(offsetof(Header, hash)), 32, '\0');
    if (sha256(copy) != hash_) return unreadable("its hash is not that of its content");

    for (std::size_t id = 0; id < rows_; ++id) {
        if (token_ends_[id] > token_ends_[id + 1]) return unreadable("its vocabulary has no order");
        if (!std::isfinite(scales_[id]) || scales_[id] < 0) return unreadable("a scale is wrong");
    }
    std::size_t used = 0;
    for (std::size_t i = 0; i < slot_count_; ++i) {
        if (slots_[i] == kEmptySlot) continue;
        if (slots_[i] >= rows_) return unreadable("its hash table points outside");
        ++used;
    }
    if (used == slot_count_) return unreadable("its hash table is full");
    return {};
}

std::optional<TokenId> TableView::find(std::uint32_t hash, std::string_view piece,
                                       bool continues) const noexcept {
    const std::size_t mask = slot_count_ - 1;
    const std::size_t lead = continues ? 2 : 0;
    for (std::size_t at = hash & mask; slots_[at] != kEmptySlot; at = (at + 1) & mask) {
        const std::string_view spelling = token(slots_[at]);
        if (spelling.size() == piece.size() + lead && spelling.substr(lead) == piece &&
            (!continues || spelling.starts_with("##"))) {
            return slots_[at];
        }
    }
    return std::nullopt;
}

result<TableView> compiled_in_table() {
    return TableView::open({aeterna_static_table, aeterna_static_table_end});
}

}  // namespace aeterna::embedding
