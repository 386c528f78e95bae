#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "memory/ports.hpp"
#include "net/http_client.hpp"

namespace aeterna::embedding {

struct OpenAiOptions {
    std::string url;  ///< the base: "https://api.openai.com/v1"; "/embeddings" is added
    std::string model;
    std::string api_key;         ///< empty: no Authorization header; never logged
    std::size_t dimensions = 0;  ///< asked for and held to; 0: those of the first answer
    std::string ca_file;         ///< PEM; trusted beside the system's store
};

/// Vectors from an OpenAI-compatible endpoint, at most 64 texts a request, one request after the
/// other. Errors:
/// - kUnavailable: not reached, refused (with what to check), or an answer that is not what was
///   asked for: wrong count, order, dimensions, or a number that is none;
/// - kRateLimited: it said 429; details carry "retry_after" in seconds when it said so;
/// - kDeadlineExceeded.
/// Nothing is repeated. Use it from any event loop.
class OpenAiEmbedder final : public memory::Embedder {
  public:
    static constexpr std::size_t kBatch = 64;
    static constexpr std::size_t kMaxDimensions = 4096;

    /// kRuleViolation when the options cannot work.
    [[nodiscard]] static result<std::unique_ptr<OpenAiEmbedder>> open(OpenAiOptions options);

    /// `dimensions` is 0 while neither the options nor an answer have said them.
    [[nodiscard]] const memory::EmbedderIdentity& identity() const override;
    task<result<std::vector<retrieval::PackedVector>>> embed(std::vector<std::string> texts,
                                                             Deadline deadline) override;

  private:
    OpenAiEmbedder(OpenAiOptions options, net::Url url);
    task<result<std::vector<retrieval::PackedVector>>> embed_batch(std::vector<std::string> texts,
                                                                   Deadline deadline);
    /// Also learns the dimensions from the first answer.
    result<std::vector<retrieval::PackedVector>> read(const std::string& body, std::size_t count);

    OpenAiOptions options_;
    std::string host_;
    memory::EmbedderIdentity identity_;
    std::atomic<std::size_t> dimensions_;
    net::HttpClient client_;
};

}  // namespace aeterna::embedding
