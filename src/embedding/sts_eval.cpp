#include "embedding/sts_eval.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

namespace aeterna::embedding {

namespace {

/// Next row; empty optional at the end of the stream. A quoted field may span lines.
std::optional<std::vector<std::string>> next_row(std::istream& csv) {
    if (csv.peek() == std::istream::traits_type::eof()) return std::nullopt;
    std::vector<std::string> row(1);
    bool quoted = false;
    for (char c = 0; csv.get(c);) {
        if (quoted) {
            if (c != '"') {
                row.back() += c;
            } else if (csv.peek() == '"') {
                csv.get(c);
                row.back() += '"';
            } else {
                quoted = false;
            }
        } else if (c == '"' && row.back().empty()) {
            quoted = true;
        } else if (c == ',') {
            row.emplace_back();
        } else if (c == '\n') {
            break;
        } else if (c != '\r') {
            row.back() += c;
        }
    }
    return row;
}

bool reads_number(std::string_view text, double& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

std::vector<double> ranks_of(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
    std::vector<double> ranks(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first;
        while (last + 1 < order.size() && values[order[last + 1]] == values[order[first]]) ++last;
        for (std::size_t i = first; i <= last; ++i) {
            ranks[order[i]] = static_cast<double>(first + last) / 2;
        }
        first = last + 1;
    }
    return ranks;
}

}  // namespace

double spearman(std::span<const double> a, std::span<const double> b) {
    const auto x = ranks_of(a);
    const auto y = ranks_of(b);
    const double mean = static_cast<double>(x.size() - 1) / 2;
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xy += (x[i] - mean) * (y[i] - mean);
        xx += (x[i] - mean) * (x[i] - mean);
        yy += (y[i] - mean) * (y[i] - mean);
    }
    return xy / std::sqrt(xx * yy);
}

result<double> stsb_spearman(std::istream& csv, const StaticEmbedder& embedder) {
    std::vector<double> cosines;
    std::vector<double> scores;
    std::array<float, StaticEmbedder::kDimensions> a;
    std::array<float, StaticEmbedder::kDimensions> b;
    while (const auto row = next_row(csv)) {
        double score = 0;
        if (row->size() != 3 || !reads_number((*row)[2], score)) {
            return fail(Code::kMalformed, "row " + std::to_string(scores.size() + 1) +
                                              " is not: sentence, sentence, score");
        }
        embedder.embed_text((*row)[0], a);
        embedder.embed_text((*row)[1], b);
        cosines.push_back(std::inner_product(a.begin(), a.end(), b.begin(), 0.0));
        scores.push_back(score);
    }
    if (scores.size() < 2) return fail(Code::kMalformed, "a correlation needs two rows or more");
    return spearman(cosines, scores);
}

}  // namespace aeterna::embedding
