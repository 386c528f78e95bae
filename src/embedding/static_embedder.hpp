#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embedding/table_view.hpp"
#include "embedding/wordpiece.hpp"
#include "memory/ports.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::embedding {

/// Meaning without a network: the mean of one stored row per token. All tokens of a text count,
/// however long it is; time is linear. Safe from any thread.
class StaticEmbedder final : public memory::Embedder {
  public:
    static constexpr std::size_t kDimensions = 256;

    /// `table` has kDimensions (see `open`). Batches of more than a few texts are computed on the
    /// pool of `runtime` when one is given, so that they do not hold up an event loop.
    explicit StaticEmbedder(TableView table, Runtime* runtime = nullptr);
    /// On the table that is part of this program; kCorrupt when it is unusable.
    [[nodiscard]] static result<std::unique_ptr<StaticEmbedder>> open(Runtime* runtime = nullptr);

    [[nodiscard]] const memory::EmbedderIdentity& identity() const override { return identity_; }

    /// Writes a vector of length 1, or zeros when no token of the text is known. Returns how many
    /// tokens the text has. Allocates nothing.
    std::size_t embed_text(std::string_view text, std::span<float, kDimensions> out) const;

    /// kDeadlineExceeded between two texts.
    task<result<std::vector<retrieval::PackedVector>>> embed(std::vector<std::string> texts,
                                                             Deadline deadline) override;

  private:
    [[nodiscard]] result<std::vector<retrieval::PackedVector>> embed_all(
        const std::vector<std::string>& texts, Deadline deadline) const;

    TableView table_;
    WordPiece pieces_;
    Runtime* runtime_;
    memory::EmbedderIdentity identity_;
};

}  // namespace aeterna::embedding
