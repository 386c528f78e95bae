#pragma once
#include <istream>

#include "base/result.hpp"
#include "embedding/static_embedder.hpp"

namespace aeterna::embedding {

/// Spearman's rank correlation between the cosines of sentence pairs and people's scores. `csv`:
/// rows of sentence, sentence, score without a heading, RFC 4180 quotes. kMalformed names the row.
[[nodiscard]] result<double> stsb_spearman(std::istream& csv, const StaticEmbedder& embedder);

/// Ties share the mean of their ranks. Both spans have the same length; NaN when one is constant.
[[nodiscard]] double spearman(std::span<const double> a, std::span<const double> b);

}  // namespace aeterna::embedding
