#pragma once
#include <string_view>

#include "embedding/table_view.hpp"

namespace aeterna::embedding {

class TokenSink {
  public:
    virtual ~TokenSink() = default;
    virtual void token(TokenId id) = 0;
};

/// BERT's uncased tokenizer: control characters out, accents off, lower case, punctuation and CJK
/// ideographs stand alone, and each word is cut into the longest pieces that the vocabulary has. A
/// word that cannot be cut, or is longer than 100 characters, is the unknown token. Time is linear
/// in the text and no memory is allocated; bytes that are not UTF-8 are skipped.
class WordPiece {
  public:
    explicit WordPiece(const TableView& table) noexcept : table_(table) {}

    /// Tokens in the order of the text, without [CLS] and [SEP].
    void tokenize(std::string_view text, TokenSink& sink) const;

  private:
    class Word;
    TableView table_;
};

}  // namespace aeterna::embedding
