#include "service/embedder.hpp"

#include "embedding/openai_embedder.hpp"
#include "embedding/static_embedder.hpp"

namespace aeterna::service {

result<std::unique_ptr<memory::Embedder>> make_embedder(const config::Settings::Embedding& settings,
                                                        Runtime& runtime) {
    if (settings.provider == config::EmbeddingProvider::kStatic) {
        auto embedder = embedding::StaticEmbedder::open(&runtime);
        if (!embedder) return tl::unexpected(std::move(embedder).error());
        return std::move(*embedder);
    }
    embedding::OpenAiOptions options;
    options.url = settings.url;
    options.model = settings.model;
    options.api_key = settings.api_key;
    options.dimensions = settings.dimensions;
    auto embedder = embedding::OpenAiEmbedder::open(std::move(options));
    if (!embedder) return tl::unexpected(std::move(embedder).error());
    return std::move(*embedder);
}

}  // namespace aeterna::service
