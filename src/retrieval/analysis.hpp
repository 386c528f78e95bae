#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::retrieval {

/// Longest term, in bytes; what is longer is cut.
inline constexpr std::size_t kMaxTermBytes = 64;

/// A term and the bytes [begin, end) of the text that it stands for. The term is good only during
/// the call.
using TermSink = std::function<void(std::string_view term, std::size_t begin, std::size_t end)>;

/// The terms of a text, in order, in time linear in its length. Words are folded (case, accents,
/// width) and stemmed; identifiers (camelCase, snake_case, dotted.names, x86) give themselves and
/// their parts; scripts without spaces give pairs of characters; a date gives its parts and itself
/// in one spelling whatever its form. Bytes that are not UTF-8 divide words.
void for_each_term(std::string_view text, const TermSink& sink);

struct TermCount {
    std::uint64_t hash = 0;  ///< stable_hash of the term: an index needs no spelling
    std::uint32_t count = 0;
    bool operator==(const TermCount&) const = default;
};

/// What a text puts into an index.
struct AnalysedText {
    std::vector<TermCount> terms;  ///< ascending, no hash twice
    std::uint32_t length = 0;      ///< terms, repeated ones included
};
[[nodiscard]] AnalysedText analyse(std::string_view text);

/// What a query asks an index for, in the query's order, no hash twice. Function words ("the",
/// "when", "does") are left out, unless there is nothing else.
struct QueryTerm {
    std::uint64_t hash = 0;
    std::uint32_t count = 0;
    std::string surface;  ///< as it stands in the query
};
/// At most `limit` terms; further ones are left out.
[[nodiscard]] std::vector<QueryTerm> analyse_query(std::string_view text, std::size_t limit = 256);

}  // namespace aeterna::retrieval
