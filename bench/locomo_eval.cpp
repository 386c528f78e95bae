// Retrieval quality on LoCoMo (https://github.com/snap-research/locomo, CC BY-NC: not in this
// tree).
//   locomo_eval locomo10.json [name=value ...]
// Prints session and turn recall, per conversation, for the lexical, vector and fused ranking.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "embedding/static_embedder.hpp"
#include "retrieval/index.hpp"

namespace {

using namespace aeterna;
using namespace aeterna::retrieval;

struct Settings {
    Bm25 bm25;
    Fusion fusion;
    double min_cosine = kMinCosine;
    double depth = 200;
};

struct Unit {
    std::string name;  ///< "D3" for a session, "D3:12" for a turn
    std::string text;
    std::string date;  ///< indexed with the text, not embedded: as the service does
};
struct Question {
    std::string text;
    std::set<std::string> turns;
};
struct Conversation {
    std::vector<Unit> sessions, turns;
    std::vector<Question> questions;
};

/// "D8:6; D9:17", "D30:05": as the data has them.
std::set<std::string> evidence(const boost::json::value& list) {
    std::set<std::string> out;
    for (const auto& item : list.as_array()) {
        const std::string text(item.as_string());
        for (std::size_t at = text.find('D'); at != std::string::npos;
             at = text.find('D', at + 1)) {
            int session = 0;
            int turn = 0;
            if (std::sscanf(text.c_str() + at, "D%d:%d", &session, &turn) == 2) {
                out.insert(fmt::format("D{}:{}", session, turn));
            }
        }
    }
    return out;
}

std::string member(const boost::json::object& object, const char* name) {
    const auto* found = object.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

std::vector<Conversation> load(const char* path) {
    std::ifstream in(path);
    std::stringstream content;
    content << in.rdbuf();
    std::vector<Conversation> out;
    const auto root = boost::json::parse(content.str());
    for (const auto& sample : root.as_array()) {
        Conversation& conversation = out.emplace_back();
        const auto& source = sample.at("conversation").as_object();
        for (int number = 1; number < 100; ++number) {
            const auto* turns = source.if_contains(fmt::format("session_{}", number));
            if (turns == nullptr) continue;
            const std::string date =
                member(source, fmt::format("session_{}_date_time", number).c_str());
            Unit session{fmt::format("D{}", number), "", date};
            for (const auto& turn : turns->as_array()) {
                const auto& fields = turn.as_object();
                std::string line = member(fields, "speaker") + ": " + member(fields, "text");
                const auto caption = member(fields, "blip_caption");
                if (!caption.empty()) line += " [photo: " + caption + "]";
                session.text += line + "\n";
                conversation.turns.push_back({member(fields, "dia_id"), line, date});
            }
            conversation.sessions.push_back(std::move(session));
        }
        for (const auto& qa : sample.at("qa").as_array()) {
            auto turns = evidence(qa.at("evidence"));
            if (turns.empty()) continue;
            conversation.questions.push_back(
                {std::string(qa.at("question").as_string()), std::move(turns)});
        }
    }
    return out;
}

/// Means over the questions.
struct Score {
    double questions = 0;
    std::map<std::size_t, double> recall, hit;
    double reciprocal = 0;

    void add(const std::vector<std::string>& ranking, const std::set<std::string>& wanted) {
        ++questions;
        for (const std::size_t cut : {5U, 10U, 20U, 50U}) {
            double found = 0;
            for (std::size_t i = 0; i < std::min(cut, ranking.size()); ++i) {
                found += wanted.contains(ranking[i]) ? 1 : 0;
            }
            recall[cut] += found / static_cast<double>(wanted.size());
            hit[cut] += found > 0 ? 1 : 0;
        }
        for (std::size_t i = 0; i < ranking.size(); ++i) {
            if (wanted.contains(ranking[i])) {
                reciprocal += 1 / static_cast<double>(i + 1);
                break;
            }
        }
    }
    void print(const char* unit, const char* ranking) const {
        fmt::print("{:8} {:8}", unit, ranking);
        for (const auto& [cut, sum] : recall) fmt::print("  R@{} {:.4f}", cut, sum / questions);
        fmt::print("  hit@5 {:.4f} hit@10 {:.4f}  MRR {:.4f}\n", hit.at(5) / questions,
                   hit.at(10) / questions, reciprocal / questions);
    }
};

/// Names of the units in the order of `key`, highest first; those with 0 are not in the ranking.
template <class Key>
std::vector<std::string> in_order(const std::vector<Match>& items, const std::vector<Unit>& units,
                                  Key key) {
    std::vector<std::pair<double, std::size_t>> order;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const double value = key(items[i]);
        if (value > 0) order.emplace_back(-value, i);
    }
    std::ranges::sort(order);
    std::vector<std::string> out;
    for (const auto& [value, i] : order) {
        std::uint32_t unit = 0;
        std::memcpy(&unit, items[i].id.bytes.data(), sizeof unit);
        out.push_back(units[unit].name);
    }
    return out;
}

PackedVector embed(const embedding::StaticEmbedder& embedder, const std::string& text) {
    std::array<float, embedding::StaticEmbedder::kDimensions> vector{};
    embedder.embed_text(text, vector);
    return pack(vector);
}

/// One kind of unit, its index and how well it is found.
class Trial {
  public:
    Trial(const embedding::StaticEmbedder& embedder, const Settings& settings,
          const std::vector<Unit>& units)
        : embedder_(embedder), settings_(settings), units_(units) {
        for (std::uint32_t i = 0; i < units.size(); ++i) {
            Document document;
            std::memcpy(document.id.bytes.data(), &i, sizeof i);
            document.text = units[i].text + "\n" + units[i].date;
            document.vector = embed(embedder, units[i].text);
            document.embedder = embedder.identity().name;
            index_.put("units", document);
        }
    }

    void ask(const std::string& question, const std::set<std::string>& wanted,
             std::array<Score, 3>& scores) const {
        Query query;
        query.partitions = {"units"};
        query.text = question;
        query.vector = embed(embedder_, question);
        query.embedder = embedder_.identity().name;
        query.bm25 = settings_.bm25;
        query.min_cosine = static_cast<float>(settings_.min_cosine);
        query.depth = static_cast<std::size_t>(settings_.depth);
        const auto found = index_.search(query);
        const auto share = [](std::uint32_t rank) { return rank == 0 ? 0.0 : 1.0 / rank; };
        scores[0].add(in_order(found.items, units_,
                               [&](const Match& match) { return share(match.lexical_rank); }),
                      wanted);
        scores[1].add(in_order(found.items, units_,
                               [&](const Match& match) { return share(match.vector_rank); }),
                      wanted);
        scores[2].add(in_order(found.items, units_,
                               [&](const Match& match) {
                                   return fuse({match.lexical_rank, match.coverage},
                                               {match.vector_rank, match.cosine.value_or(0)}, true,
                                               settings_.fusion);
                               }),
                      wanted);
    }

  private:
    const embedding::StaticEmbedder& embedder_;
    const Settings& settings_;
    const std::vector<Unit>& units_;
    ScopeIndex index_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(
            stderr,
            "usage: locomo_eval locomo10.json [k1= b= k= lexical= vector= cosine= depth=]\n");
        return 2;
    }
    Settings settings;
    const std::map<std::string, double*> names{{"k1", &settings.bm25.k1},
                                               {"b", &settings.bm25.b},
                                               {"k", &settings.fusion.k},
                                               {"lexical", &settings.fusion.lexical_weight},
                                               {"vector", &settings.fusion.vector_weight},
                                               {"cosine", &settings.min_cosine},
                                               {"depth", &settings.depth}};
    for (int i = 2; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        const auto name = names.find(argument.substr(0, equals));
        if (equals == std::string::npos || name == names.end()) {
            fmt::print(stderr, "unknown setting '{}'\n", argument);
            return 2;
        }
        *name->second = std::strtod(argument.c_str() + equals + 1, nullptr);
    }

    const auto embedder = embedding::StaticEmbedder::open();
    if (!embedder) {
        fmt::print(stderr, "{}\n", embedder.error().message);
        return 1;
    }
    std::array<Score, 3> sessions;
    std::array<Score, 3> turns;
    for (const auto& conversation : load(argv[1])) {
        const Trial by_session(**embedder, settings, conversation.sessions);
        const Trial by_turn(**embedder, settings, conversation.turns);
        for (const auto& question : conversation.questions) {
            std::set<std::string> wanted;
            for (const auto& turn : question.turns) wanted.insert(turn.substr(0, turn.find(':')));
            by_session.ask(question.text, wanted, sessions);
            by_turn.ask(question.text, question.turns, turns);
        }
    }
    fmt::print("{} questions\n", sessions[0].questions);
    static constexpr std::array kRankings{"lexical", "vector", "fused"};
    for (std::size_t i = 0; i < 3; ++i) sessions[i].print("session", kRankings[i]);
    for (std::size_t i = 0; i < 3; ++i) turns[i].print("turn", kRankings[i]);
    return 0;
}
