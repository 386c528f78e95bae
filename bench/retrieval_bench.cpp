// Search, put and reading a snapshot over 100 k documents of one scope, on realistic text.
#include <cmath>
#include <cstring>
#include <ctime>
#include <random>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "retrieval/index.hpp"
#include "retrieval/snapshot.hpp"

namespace {

using namespace aeterna;
using namespace aeterna::retrieval;

constexpr std::size_t kDocuments = 100'000;
constexpr std::size_t kDimensions = 256;

/// Words drawn by Zipf's law, as in a language; vectors around topic centres, as embeddings are.
class World {
  public:
    World() : words_(60'000) {
        for (std::size_t i = 0; i < words_.size(); ++i) {
            static constexpr std::string_view kConsonants = "bdfgklmnprstvz";
            static constexpr std::string_view kVowels = "aeiou";
            for (std::size_t n = i + 20; n > 0; n /= 70) {
                words_[i] += kConsonants[n % 14];
                words_[i] += kVowels[n / 14 % 5];
            }
        }
        double sum = 0;
        for (std::size_t i = 0; i < words_.size(); ++i) {
            cumulative_.push_back(sum += 1.0 / static_cast<double>(i + 3));
        }
        std::normal_distribution<float> normal;
        for (auto& centre : centres_) {
            centre.resize(kDimensions);
            for (float& x : centre) x = normal(random_);
        }
    }

    std::string text(std::size_t words) {
        std::string out;
        for (std::size_t i = 0; i < words; ++i) {
            const double at = std::uniform_real_distribution<>(0, cumulative_.back())(random_);
            const auto word = std::ranges::lower_bound(cumulative_, at) - cumulative_.begin();
            out += words_[static_cast<std::size_t>(word)];
            out += ' ';
        }
        return out;
    }
    PackedVector vector() {
        std::normal_distribution<float> normal(0, 0.7F);
        auto out = centres_[random_() % centres_.size()];
        for (float& x : out) x += normal(random_);
        return pack(out);
    }
    Document document(std::uint32_t number, std::int64_t version = 1) {
        Document out;
        std::memcpy(out.id.bytes.data(), &number, sizeof number);
        out.version = version;
        out.created = number;
        out.updated = number;
        out.text = text(10 + random_() % 16);
        out.attributes = {random_() % 100, 1'000 + random_() % 10};
        out.vector = vector();
        out.embedder = "bench";
        return out;
    }
    Query query(std::size_t words) {
        Query out;
        out.partitions = {"scope"};
        out.text = text(words);
        out.vector = vector();
        out.embedder = "bench";
        return out;
    }

  private:
    std::mt19937 random_{42};
    std::vector<std::string> words_;
    std::vector<double> cumulative_;
    std::array<std::vector<float>, 300> centres_;
};

World& world() {
    static World one;
    return one;
}

ScopeIndex& filled() {
    static const auto index = [] {
        auto out = std::make_unique<ScopeIndex>();
        for (std::uint32_t i = 0; i < kDocuments; ++i) out->put("scope", world().document(i));
        return out;
    }();
    return *index;
}

/// Of this thread: what neighbours on the machine do does not count.
double cpu_milliseconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

/// Percentiles of the processor time of one search.
void run(benchmark::State& state, const std::vector<Query>& queries) {
    const ScopeIndex& index = filled();
    std::vector<double> times;
    std::size_t next = 0;
    for (auto _ : state) {
        const double start = cpu_milliseconds();
        benchmark::DoNotOptimize(index.search(queries[next++ % queries.size()]));
        times.push_back(cpu_milliseconds() - start);
    }
    std::ranges::sort(times);
    const auto percentile = [&](double share) {
        return times[std::min(times.size() - 1,
                              static_cast<std::size_t>(share * static_cast<double>(times.size())))];
    };
    state.counters["p50_ms"] = percentile(0.5);
    state.counters["p95_ms"] = percentile(0.95);
    state.counters["p99_ms"] = percentile(0.99);
}

template <class Change>
std::vector<Query> queries(Change change) {
    std::vector<Query> out;
    for (std::size_t i = 0; i < 200; ++i) change(out.emplace_back(world().query(4 + i % 9)));
    return out;
}

void search_hybrid(benchmark::State& state) {
    run(state, queries([](Query&) {}));
}
void search_lexical(benchmark::State& state) {
    run(state, queries([](Query& query) { query.vector.reset(); }));
}
void search_vector(benchmark::State& state) {
    run(state, queries([](Query& query) { query.text.clear(); }));
}
void search_filtered(benchmark::State& state) {
    run(state, queries([](Query& query) { query.conditions.required = {7}; }));
}
BENCHMARK(search_hybrid)->Unit(benchmark::kMillisecond)->Iterations(1000);
BENCHMARK(search_lexical)->Unit(benchmark::kMillisecond)->Iterations(1000);
BENCHMARK(search_vector)->Unit(benchmark::kMillisecond)->Iterations(1000);
BENCHMARK(search_filtered)->Unit(benchmark::kMillisecond)->Iterations(1000);

void put(benchmark::State& state) {
    ScopeIndex& index = filled();
    std::vector<Document> documents;
    for (std::uint32_t i = 0; i < 1000; ++i) documents.push_back(world().document(i * 97, 2));
    std::int64_t version = 2;
    std::size_t next = 0;
    for (auto _ : state) {
        Document& document = documents[next++ % documents.size()];
        document.version = ++version;
        benchmark::DoNotOptimize(index.put("scope", document));
    }
}
BENCHMARK(put)->Unit(benchmark::kMicrosecond)->Iterations(20'000);

void analysis(benchmark::State& state) {
    const std::string text = world().text(18);
    for (auto _ : state) benchmark::DoNotOptimize(analyse(text));
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                            static_cast<std::int64_t>(text.size()));
}
BENCHMARK(analysis)->Unit(benchmark::kMicrosecond);

std::vector<std::uint8_t> image() {
    std::vector<std::uint8_t> out;
    (void)write_snapshot(filled(), {1, "bench", kDimensions, 0},
                         [&](std::span<const std::uint8_t> piece) {
                             out.insert(out.end(), piece.begin(), piece.end());
                             return result<void>();
                         });
    return out;
}
void snapshot_write(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(image());
}
void snapshot_read(benchmark::State& state) {
    const auto bytes = image();
    for (auto _ : state) {
        auto parsed = parse_snapshot(bytes);
        if (!parsed) state.SkipWithError("the snapshot does not read back");
        state.PauseTiming();
        parsed->index.reset();
        state.ResumeTiming();
    }
    state.counters["megabytes"] = static_cast<double>(bytes.size()) / 1e6;
}
BENCHMARK(snapshot_write)->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK(snapshot_read)->Unit(benchmark::kMillisecond)->Iterations(10);

void memory(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(filled().totals());
    state.counters["bytes_per_document"] =
        static_cast<double>(filled().totals().bytes) / static_cast<double>(kDocuments);
}
BENCHMARK(memory)->Iterations(1);

}  // namespace

BENCHMARK_MAIN();
