#pragma once
#include <memory>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "memory/ports.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::service {

/// The embedder that the settings name: the compiled-in table, or an OpenAI-compatible endpoint.
[[nodiscard]] result<std::unique_ptr<memory::Embedder>> make_embedder(
    const config::Settings::Embedding& settings, Runtime& runtime);

}  // namespace aeterna::service
