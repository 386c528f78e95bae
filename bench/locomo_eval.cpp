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

#include "retrieval/index.hpp"

namespace {

using namespace aeterna;
using namespace aeterna::retrieval;

struct Settings {
    Bm25 bm25;
    Fusion fusion;
    double min_cosine = kMinCosine;
    double depth = 200;
    bool lexical_only = false;
};

struct Unit {
    std::string name;  ///< "D3" for a session, "D3:12" for a turn
    std::string text;
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
            Unit session{fmt::format("D{}", number), date + "\n"};
            for (const auto& turn : turns->as_array()) {
                const auto& fields = turn.as_object();
                std::string line = member(fields, "speaker") + ": " + member(fields, "text");
                const auto caption = member(fields, "blip_caption");
                if (!caption.empty()) line += " [photo: " + caption + "]";
                session.text += line + "\n";
                conversation.turns.push_back({member(fields, "dia_id"), date + "\n" + line});
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

struct Rankings {
    std::vector<std::string> lexical, vector, fused;
};

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

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(stderr,
                   "usage: locomo_eval locomo10.json [k1= b= k= lexical= vector= cosine=]\n");
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

    const auto conversations = load(argv[1]);
    Score session_lexical;
    Score turn_lexical;
    for (const auto& conversation : conversations) {
        const auto rank = [&](const ScopeIndex& index, const std::vector<Unit>& units,
                              const std::string& text) {
            Query query;
            query.partitions = {"c"};
            query.text = text;
            query.bm25 = settings.bm25;
            query.depth = static_cast<std::size_t>(settings.depth);
            const auto found = index.search(query);
            Rankings out;
            out.lexical = in_order(found.items, units, [](const Match& m) {
                return m.lexical_rank == 0 ? 0 : 1.0 / m.lexical_rank;
            });
            return out;
        };
        const auto fill = [](ScopeIndex& index, const std::vector<Unit>& units) {
            for (std::uint32_t i = 0; i < units.size(); ++i) {
                Document document;
                std::memcpy(document.id.bytes.data(), &i, sizeof i);
                document.text = units[i].text;
                index.put("c", document);
            }
        };
        ScopeIndex sessions;
        ScopeIndex turns;
        fill(sessions, conversation.sessions);
        fill(turns, conversation.turns);
        for (const auto& question : conversation.questions) {
            std::set<std::string> wanted;
            for (const auto& turn : question.turns) wanted.insert(turn.substr(0, turn.find(':')));
            session_lexical.add(rank(sessions, conversation.sessions, question.text).lexical,
                                wanted);
            turn_lexical.add(rank(turns, conversation.turns, question.text).lexical,
                             question.turns);
        }
    }
    fmt::print("{} questions\n", session_lexical.questions);
    session_lexical.print("session", "lexical");
    turn_lexical.print("turn", "lexical");
    return 0;
}
