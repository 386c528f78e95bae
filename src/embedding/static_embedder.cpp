#include "embedding/static_embedder.hpp"

#include <array>
#include <cmath>

namespace aeterna::embedding {

namespace {

/// About a millisecond of work: more than that does not belong on an event loop.
constexpr std::size_t kBytesInPlace = 32 * 1024;

class Sum final : public TokenSink {
  public:
    explicit Sum(const TableView& table) : table_(table) {}

    void token(TokenId id) override {
        ++tokens_;
        const std::int8_t* row = table_.row(id);
        const float scale = table_.scale(id);
        for (std::size_t i = 0; i < StaticEmbedder::kDimensions; ++i) {
            values_[i] += scale * static_cast<float>(row[i]);
        }
    }
    [[nodiscard]] std::size_t tokens() const noexcept { return tokens_; }
    [[nodiscard]] const auto& values() const noexcept { return values_; }

  private:
    const TableView& table_;
    std::size_t tokens_ = 0;
    alignas(64) std::array<float, StaticEmbedder::kDimensions> values_{};
};

}  // namespace

StaticEmbedder::StaticEmbedder(TableView table, Runtime* runtime)
    : table_(table),
      pieces_(table),
      runtime_(runtime),
      identity_{"minilm-static-256@" + to_hex(table.hash()).substr(0, 12), kDimensions} {}

result<std::unique_ptr<StaticEmbedder>> StaticEmbedder::open(Runtime* runtime) {
    auto table = compiled_in_table();
    if (!table) return fail(std::move(table).error());
    if (table->dimensions() != kDimensions) {
        return fail(Code::kCorrupt, "embedding_table_corrupt",
                    "the embedding table has " + std::to_string(table->dimensions()) +
                        " dimensions, not 256; make it again with tools/distill/distill.py");
    }
    return std::make_unique<StaticEmbedder>(*table, runtime);
}

std::size_t StaticEmbedder::embed_text(std::string_view text,
                                       std::span<float, kDimensions> out) const {
    Sum sum(table_);
    pieces_.tokenize(text, sum);
    float squares = 0;
    for (const float x : sum.values()) squares += x * x;
    const float factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (std::size_t i = 0; i < kDimensions; ++i) out[i] = sum.values()[i] * factor;
    return sum.tokens();
}

result<std::vector<retrieval::PackedVector>> StaticEmbedder::embed_all(
    const std::vector<std::string>& texts, Deadline deadline) const {
    std::vector<retrieval::PackedVector> out;
    out.reserve(texts.size());
    std::array<float, kDimensions> vector;
    for (const std::string& text : texts) {
        if (deadline.passed()) {
            return fail(Code::kDeadlineExceeded, "the time ran out while texts were embedded");
        }
        embed_text(text, vector);
        out.push_back(retrieval::pack(vector));
    }
    return out;
}

task<result<std::vector<retrieval::PackedVector>>> StaticEmbedder::embed(
    std::vector<std::string> texts, Deadline deadline) {
    std::size_t bytes = 0;
    for (const std::string& text : texts) bytes += text.size();
    if (runtime_ == nullptr || bytes <= kBytesInPlace) co_return embed_all(texts, deadline);
    co_return co_await runtime_->blocking([&] { return embed_all(texts, deadline); });
}

}  // namespace aeterna::embedding
