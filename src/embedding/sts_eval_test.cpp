#include "embedding/sts_eval.hpp"

#include <sstream>
#include <vector>

#include <gtest/gtest.h>

namespace aeterna::embedding {
namespace {

TEST(Spearman, SharesRanksAmongTies) {
    const std::vector<double> a{1, 2, 3, 4, 5};
    EXPECT_NEAR(spearman(a, std::vector<double>{10, 20, 30, 40, 50}), 1, 1e-12);
    EXPECT_NEAR(spearman(a, std::vector<double>{5, 4, 3, 2, 1}), -1, 1e-12);
    // By hand: ranks 1, 2.5, 2.5, 4 against 1, 3, 2, 4.
    EXPECT_NEAR(spearman(std::vector<double>{1, 2, 2, 9}, std::vector<double>{1, 3, 2, 4}),
                4.5 / std::sqrt(4.5 * 5), 1e-12);
}

class StsEval : public testing::Test {
  protected:
    result<double> score(const std::string& text) const {
        std::istringstream csv(text);
        return stsb_spearman(csv, *embedder_);
    }
    std::unique_ptr<StaticEmbedder> embedder_ = StaticEmbedder::open().value();
};

TEST_F(StsEval, ReadsQuotesCommasAndLineBreaksInFields) {
    const auto got = score(
        "\"A cat, black\",\"A cat, black\",5.0\r\n"
        "\"She said \"\"go\"\"\",\"He\nslept\",1\n"
        "The car is red.,The automobile is red.,4.2");
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_NEAR(*got, 1, 1e-12);
}

TEST_F(StsEval, NamesTheRowThatIsWrong) {
    for (const std::string bad : {"a,b", "a,b,c", "a,b,1,2", "a,b,", "a,b,1x"}) {
        const auto got = score("a,b,1\n" + bad + "\n");
        ASSERT_FALSE(got) << bad;
        EXPECT_NE(got.error().message.find("row 2"), std::string::npos) << got.error().message;
    }
    EXPECT_FALSE(score(""));
    EXPECT_FALSE(score("a,b,1\n"));
}

}  // namespace
}  // namespace aeterna::embedding
