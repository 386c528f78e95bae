// What the compiled-in embedder and the vector scan are worth. Prints one JSON object.
//
//   meaning_bench TEXTS [STSB.csv]
//
// TEXTS: a file of real sentences, one a line: speed is measured on 20-token pieces of them, and
// the recall@10 of the 8-bit scan against an exact scan in double precision. STSB.csv: sentence,
// sentence, score without a heading.
#include <algorithm>
#include <ctime>
#include <fstream>
#include <numeric>

#include <fmt/format.h>

#include "embedding/static_embedder.hpp"
#include "embedding/sts_eval.hpp"
#include "json/codec.hpp"
#include "retrieval/index.hpp"

namespace {

using namespace aeterna;
using embedding::StaticEmbedder;
using Vector = std::array<float, StaticEmbedder::kDimensions>;

constexpr std::size_t kTop = 10;
constexpr std::size_t kQueries = 300;

double cpu_seconds() {
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

std::vector<std::string> lines_of(const char* path) {
    std::ifstream in(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        if (line.size() >= 20) lines.push_back(std::move(line));
    }
    std::ranges::sort(lines);
    lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
    return lines;
}

/// Pieces of about 20 tokens each.
std::vector<std::string> pieces_of(const std::vector<std::string>& lines,
                                   const StaticEmbedder& embedder) {
    std::vector<std::string> out;
    Vector scratch{};
    std::string piece;
    for (const std::string& line : lines) {
        for (std::size_t at = 0; at < line.size();) {
            const std::size_t end = std::min(line.find(' ', at), line.size());
            piece += line.substr(at, end - at) + ' ';
            at = end + 1;
            if (embedder.embed_text(piece, scratch) >= 20) out.push_back(std::exchange(piece, {}));
        }
    }
    return out;
}

double texts_per_second(const std::vector<std::string>& pieces, const StaticEmbedder& embedder) {
    Vector out{};
    std::vector<double> rates;
    for (int round = 0; round < 7; ++round) {
        const double start = cpu_seconds();
        std::size_t done = 0;
        while (cpu_seconds() - start < 0.2) {
            for (const std::string& piece : pieces) embedder.embed_text(piece, out);
            done += pieces.size();
        }
        rates.push_back(static_cast<double>(done) / (cpu_seconds() - start));
    }
    std::ranges::nth_element(rates, rates.begin() + 3);
    return rates[3];
}

double recall(const std::vector<std::string>& lines, const StaticEmbedder& embedder) {
    std::vector<Vector> vectors(lines.size());
    retrieval::ScopeIndex index;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        embedder.embed_text(lines[i], vectors[i]);
        retrieval::Document document;
        for (std::size_t b = 0; b < 8; ++b)
            document.id.bytes[15 - b] = static_cast<std::uint8_t>(i >> (8 * b));
        document.vector = retrieval::pack(vectors[i]);
        document.embedder = "e";
        index.put("p", document);
    }
    std::size_t found = 0;
    std::size_t wanted = 0;
    const std::size_t step = std::max<std::size_t>(1, lines.size() / kQueries);
    for (std::size_t q = 0; q < lines.size(); q += step) {
        std::vector<std::pair<double, std::size_t>> exact;
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            exact.emplace_back(
                -std::inner_product(vectors[q].begin(), vectors[q].end(), vectors[i].begin(), 0.0),
                i);
        }
        std::ranges::nth_element(exact, exact.begin() + kTop);
        const double last = std::ranges::max_element(exact.begin(), exact.begin() + kTop)->first;
        retrieval::Query query;
        query.partitions = {"p"};
        query.vector = retrieval::pack(vectors[q]);
        query.embedder = "e";
        query.depth = kTop;
        query.min_cosine = -1;
        for (const auto& match : index.search(query).items) {
            std::size_t number = 0;
            for (std::size_t b = 8; b > 0; --b) number = number << 8 | match.id.bytes[16 - b];
            // Equally near ones are as good as each other.
            const double distance = -std::inner_product(vectors[q].begin(), vectors[q].end(),
                                                        vectors[number].begin(), 0.0);
            found += distance <= last + 1e-6 ? 1 : 0;
        }
        wanted += kTop;
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        fmt::print(stderr, "usage: meaning_bench TEXTS [STSB.csv]\n");
        return 2;
    }
    auto embedder = StaticEmbedder::open();
    if (!embedder) {
        fmt::print(stderr, "error: {}\n", embedder.error().message);
        return 1;
    }
    const auto lines = lines_of(argv[1]);
    if (lines.size() < 100) {
        fmt::print(stderr, "error: {} has {} usable lines; at least 100 are needed\n", argv[1],
                   lines.size());
        return 1;
    }
    json::Object out{{"texts", lines.size()},
                     {"textsPerSecond", texts_per_second(pieces_of(lines, **embedder), **embedder)},
                     {"recallAt10", recall(lines, **embedder)}};
    if (argc == 3) {
        std::ifstream csv(argv[2]);
        const auto spearman = embedding::stsb_spearman(csv, **embedder);
        if (!spearman) {
            fmt::print(stderr, "error: {}\n", spearman.error().message);
            return 1;
        }
        out["stsbSpearman"] = *spearman;
    }
    fmt::print("{}\n", json::write(out));
    return 0;
}
