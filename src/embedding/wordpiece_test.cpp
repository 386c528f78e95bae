#include "embedding/wordpiece.hpp"

#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "embedding/wordpiece_examples.hpp"

namespace aeterna::embedding {
namespace {

class Ids final : public TokenSink {
  public:
    void token(TokenId id) override { ids.push_back(id); }
    std::vector<TokenId> ids;
};

class WordPieceTest : public testing::Test {
  protected:
    std::vector<TokenId> tokens(std::string_view text) const {
        Ids sink;
        WordPiece(table_).tokenize(text, sink);
        return sink.ids;
    }
    std::string spelled(const std::vector<TokenId>& ids) const {
        std::string out;
        for (const TokenId id : ids) out += std::string(table_.token(id)) + " ";
        return out;
    }
    TableView table_ = compiled_in_table().value();
};

TEST_F(WordPieceTest, AgreesWithTheReferenceTokenizer) {
    ASSERT_GE(kWordPieceExamples.size(), 50U);
    for (const auto& [text, want] : kWordPieceExamples) {
        const auto got = tokens(text);
        EXPECT_EQ(got, want) << text << "\n got " << spelled(got) << "\nwant " << spelled(want);
    }
}

TEST_F(WordPieceTest, CutsWordsIntoTheLongestPieces) {
    EXPECT_EQ(spelled(tokens("unaffable")), "una ##ffa ##ble ");
    EXPECT_EQ(spelled(tokens("Memory, twice: memory!")), "memory , twice : memory ! ");
    EXPECT_EQ(spelled(tokens("a \xF0\x9F\x8E\x89 b")), "a [UNK] b ");
}

TEST_F(WordPieceTest, SkipsWhatIsNotUtf8) {
    EXPECT_EQ(tokens("mem\xFFory"), tokens("memory"));
    EXPECT_EQ(tokens("memory \xC3"), tokens("memory"));
    EXPECT_EQ(tokens("memory \xED\xA0\x80 \xF8\x88\x80\x80\x80"), tokens("memory"));
    EXPECT_EQ(tokens(std::string_view("me\0mory", 7)), tokens("memory"));
}

TEST_F(WordPieceTest, SurvivesAnyBytes) {
    std::mt19937 random(3);
    std::uniform_int_distribution<int> byte(0, 255);
    for (int round = 0; round < 300; ++round) {
        std::string text(400, '\0');
        for (char& c : text) c = static_cast<char>(byte(random) & (round % 2 == 0 ? 0xff : 0x7f));
        for (const TokenId id : tokens(text)) ASSERT_LT(id, table_.rows());
    }
}

/// Of this thread's processor time, so that a busy machine does not matter.
double seconds_for(const TableView& table, const std::string& text) {
    const auto now = [] {
        timespec at{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
        return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) * 1e-9;
    };
    double best = 1e9;
    for (int round = 0; round < 3; ++round) {
        Ids sink;
        const double start = now();
        WordPiece(table).tokenize(text, sink);
        best = std::min(best, now() - start);
    }
    return best;
}

TEST_F(WordPieceTest, TimeIsLinearOnHostileText) {
    const auto repeated = [](std::string_view piece, std::size_t bytes) {
        std::string out;
        while (out.size() < bytes) out += piece;
        return out;
    };
    for (const std::string_view piece :
         {"a", "z ", "!", "\xCC\x81", "\xE4\xB8\x80", "electroencephal", "\xFF", "qzxjkvw ",
          "\xEF\xB7\xBA",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "}) {
        const double small = seconds_for(table_, repeated(piece, 32 * 1024));
        const double large = seconds_for(table_, repeated(piece, 256 * 1024));
        EXPECT_LT(large, 40 * small + 0.02) << piece;  // 8 times the text; 64 times if quadratic
    }
}

}  // namespace
}  // namespace aeterna::embedding
