#include "retrieval/stemmer.hpp"

#include <algorithm>
#include <memory>

#include <libstemmer.h>

namespace aeterna::retrieval {

std::string_view stem(std::string_view word) {
    if (word.size() < 3 ||
        !std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; })) {
        return word;
    }
    // A stemmer keeps its last answer in itself, so every thread has its own.
    thread_local const std::unique_ptr<sb_stemmer, decltype(&sb_stemmer_delete)> stemmer(
        sb_stemmer_new("english", nullptr), &sb_stemmer_delete);
    if (!stemmer) return word;
    const sb_symbol* out =
        sb_stemmer_stem(stemmer.get(), reinterpret_cast<const sb_symbol*>(word.data()),
                        static_cast<int>(word.size()));
    if (out == nullptr) return word;
    return {reinterpret_cast<const char*>(out),
            static_cast<std::size_t>(sb_stemmer_length(stemmer.get()))};
}

}  // namespace aeterna::retrieval
