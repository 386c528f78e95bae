#include "service/embedder.hpp"

#include "embedding/static_embedder.hpp"

namespace aeterna::service {

result<std::unique_ptr<memory::Embedder>> make_embedder(const config::Settings::Embedding& settings,
                                                        Runtime& runtime) {
    if (settings.provider == config::EmbeddingProvider::kStatic) {
        auto embedder = embedding::StaticEmbedder::open(&runtime);
        if (!embedder) return tl::unexpected(std::move(embedder).error());
        return std::move(*embedder);
    }
    return fail(Code::kNotBuilt, "the provider openai is not wired");
}

}  // namespace aeterna::service
