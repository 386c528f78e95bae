#include "embedding/openai_embedder.hpp"

#include <mutex>

#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/codec.hpp"
#include "net/http_server.hpp"

namespace aeterna::embedding {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kKey = "sk-test-4242";

/// An endpoint that remembers what it was asked and answers what it is told.
class OpenAiEmbedderTest : public testing::Test {
  protected:
    using Answer = std::function<net::HttpResponse(const json::Object& request)>;

    OpenAiEmbedderTest() {
        net::HttpServerOptions options;
        options.listen = {"127.0.0.1", 0};
        options.body_limit = [](std::string_view, std::string_view) { return 16UL << 20; };
        server_.emplace(runtime_, options, [this](net::HttpRequest request) {
            return handle(this, std::move(request));
        });
        port_ = server_->listen().value().port;
        server_->start();
        answer_ = [](const json::Object& request) { return vectors_for(request, 3); };
    }
    ~OpenAiEmbedderTest() override {
        run(server_->drain(Deadline::after(2s)));
        embedder_.reset();
        server_.reset();
        runtime_.stop();
    }

    static task<net::HttpResponse> handle(OpenAiEmbedderTest* self, net::HttpRequest request) {
        const std::lock_guard lock(self->mutex_);
        self->seen_.push_back(request);
        co_return self->answer_(json::parse_object(request.body).value());
    }
    static net::HttpResponse json_answer(std::string body, int status = 200) {
        net::HttpResponse out;
        out.status = status;
        out.headers.set("Content-Type", "application/json");
        out.body = std::move(body);
        return out;
    }
    /// Text i gets a vector that points along its length, so that order can be seen; the answer
    /// lists them backwards.
    static net::HttpResponse vectors_for(const json::Object& request, std::size_t dimensions) {
        const auto& input = request.at("input").as_array();
        json::Array data;
        for (std::size_t i = input.size(); i-- > 0;) {
            json::Array vector(dimensions, 1);
            vector[0] = static_cast<double>(input[i].as_string().size());
            data.push_back(json::Object{
                {"object", "embedding"}, {"index", i}, {"embedding", std::move(vector)}});
        }
        return json_answer(json::write(json::Object{{"data", std::move(data)}}));
    }

    template <class T>
    T run(task<T> work) {
        return asio::co_spawn(runtime_.loop(0), std::move(work), asio::use_future).get();
    }
    OpenAiEmbedder& embedder(OpenAiOptions options = {}) {
        if (options.url.empty()) options.url = base();
        if (options.model.empty()) options.model = "test-model";
        if (options.api_key.empty()) options.api_key = kKey;
        embedder_ = OpenAiEmbedder::open(std::move(options)).value();
        return *embedder_;
    }
    std::string base() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
    result<std::vector<retrieval::PackedVector>> ask(std::vector<std::string> texts,
                                                     std::chrono::milliseconds patience = 10s) {
        if (!embedder_) embedder();
        return run(embedder_->embed(std::move(texts), Deadline::after(patience)));
    }
    Error error_for(net::HttpResponse response) {
        answer_ = [response](const json::Object&) { return response; };
        auto answer = ask({"a", "b"});
        EXPECT_FALSE(answer) << response.body;
        if (answer) return {Code::kInternal, "no error"};
        EXPECT_THAT(answer.error().message, Not(HasSubstr(kKey)));
        return answer.error();
    }

    Runtime runtime_{{.loops = 1, .blocking = 2}};
    std::mutex mutex_;
    std::vector<net::HttpRequest> seen_;
    Answer answer_;
    std::uint16_t port_ = 0;
    std::optional<net::HttpServer> server_;
    std::unique_ptr<OpenAiEmbedder> embedder_;
};

TEST_F(OpenAiEmbedderTest, AsksAsTheProtocolSays) {
    ASSERT_TRUE(ask({"one", ""}));
    ASSERT_EQ(seen_.size(), 1U);
    EXPECT_EQ(seen_[0].method, "POST");
    EXPECT_EQ(seen_[0].path, "/v1/embeddings");
    EXPECT_EQ(seen_[0].headers.find("Authorization"), "Bearer sk-test-4242");
    EXPECT_EQ(seen_[0].headers.find("Content-Type"), "application/json");
    EXPECT_EQ(json::parse(seen_[0].body).value(),
              json::parse(R"({"model":"test-model","input":["one"," "]})").value());
    EXPECT_EQ(embedder_->identity().name, "openai:test-model@127.0.0.1");
}

TEST_F(OpenAiEmbedderTest, PutsVectorsInTheOrderOfTheTexts) {
    const auto answer = ask({"1", "22", "4444"});
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->size(), 3U);
    EXPECT_EQ((*answer)[0], retrieval::pack(std::vector<float>{1, 1, 1}));
    EXPECT_EQ((*answer)[1], retrieval::pack(std::vector<float>{2, 1, 1}));
    EXPECT_EQ((*answer)[2], retrieval::pack(std::vector<float>{4, 1, 1}));
}

TEST_F(OpenAiEmbedderTest, SendsAtMost64TextsARequest) {
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < 150; ++i) texts.emplace_back(i + 1, 'x');
    const auto answer = ask(texts);
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->size(), 150U);
    EXPECT_EQ(answer->back(), retrieval::pack(std::vector<float>{150, 1, 1}));
    std::vector<std::size_t> sizes;
    for (const auto& request : seen_) {
        sizes.push_back(json::parse_object(request.body)->at("input").as_array().size());
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{64, 64, 22}));
    EXPECT_TRUE(ask({})->empty());
    EXPECT_EQ(seen_.size(), 3U);
}

TEST_F(OpenAiEmbedderTest, HoldsTheEndpointToItsDimensions) {
    OpenAiOptions three;
    three.dimensions = 3;
    embedder(three);
    ASSERT_TRUE(ask({"a"}));
    EXPECT_EQ(json::parse_object(seen_[0].body)->at("dimensions"), 3);
    EXPECT_EQ(embedder_->identity().dimensions, 3U);
    answer_ = [](const json::Object& request) { return vectors_for(request, 4); };
    EXPECT_THAT(ask({"a"}).error().message, HasSubstr("4 dimensions, not 3"));

    embedder();
    ASSERT_TRUE(ask({"a"}));  // now they are 4
    answer_ = [](const json::Object& request) { return vectors_for(request, 3); };
    EXPECT_THAT(ask({"a"}).error().message, HasSubstr("3 dimensions, not 4"));
}

TEST_F(OpenAiEmbedderTest, RefusesAnswersThatAreNotWhatItAskedFor) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"not json", "not JSON"},
        {"[]", "not JSON"},
        {"{}", "no array \"data\""},
        {R"({"data":{}})", "no array \"data\""},
        {R"({"data":[]})", "0 embeddings came for 2"},
        {R"({"data":[{"index":0,"embedding":[1]}]})", "1 embeddings came for 2"},
        {R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})", "one \"index\""},
        {R"({"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]})", "index"},
        {R"({"data":[{"index":-1,"embedding":[1]},{"index":1,"embedding":[1]}]})", "index"},
        {R"({"data":[{"index":"0","embedding":[1]},{"index":1,"embedding":[1]}]})", "index"},
        {R"({"data":[{"index":0},{"index":1}]})", "no \"embedding\""},
        {R"({"data":[1,2]})", "no \"embedding\""},
        {R"({"data":[{"embedding":"AAAA"},{"embedding":[1]}]})", "not an array"},
        {R"({"data":[{"embedding":[]},{"embedding":[]}]})", "is empty"},
        {R"({"data":[{"embedding":[1,"2"]},{"embedding":[1,2]}]})", "no number"},
        {R"({"data":[{"embedding":[1,null]},{"embedding":[1,2]}]})", "no number"},
        {R"({"data":[{"embedding":[1,1e300]},{"embedding":[1,2]}]})", "no number"},
        {R"({"data":[{"embedding":[1,2]},{"embedding":[1]}]})", "1 dimensions, not 2"},
    };
    for (const auto& [body, why] : cases) {
        embedder();
        const auto error = error_for(json_answer(body));
        EXPECT_EQ(error.code, Code::kUnavailable) << body;
        EXPECT_THAT(error.message, HasSubstr(why)) << body;
    }
    std::string many = "[1";
    for (int i = 0; i < 4096; ++i) many += ",1";
    embedder();
    const auto error =
        error_for(json_answer(R"({"data":[{"embedding":)" + many + R"(]},{"embedding":[1]}]})"));
    EXPECT_THAT(error.message, HasSubstr("4097 dimensions, not 4096 or fewer"));
}

TEST_F(OpenAiEmbedderTest, TranslatesWhatTheEndpointRefuses) {
    const std::string leak = R"({"error":{"message":"Incorrect API key provided: sk-test-4242"}})";
    for (const int status : {401, 403}) {
        const auto error = error_for(json_answer(leak, status));
        EXPECT_EQ(error.code, Code::kUnavailable);
        EXPECT_THAT(error.message, HasSubstr("AETERNA_EMBEDDING_API_KEY"));
    }
    EXPECT_THAT(error_for(json_answer(leak, 404)).message, HasSubstr("embedding.model"));
    for (const int status : {400, 413, 500, 502, 503, 204}) {
        const auto error = error_for(json_answer(leak, status));
        EXPECT_EQ(error.code, Code::kUnavailable) << status;
        EXPECT_THAT(error.message, HasSubstr(std::to_string(status)));
    }
    auto slow_down = json_answer("{}", 429);
    EXPECT_EQ(error_for(slow_down).code, Code::kRateLimited);
    EXPECT_TRUE(error_for(slow_down).details.empty());
    slow_down.headers.set("Retry-After", "7");
    const auto error = error_for(slow_down);
    ASSERT_EQ(error.details.size(), 1U);
    EXPECT_EQ(error.details[0].second, (Error::Value(std::int64_t{7})));
}

TEST_F(OpenAiEmbedderTest, AnEndpointThatIsNotThereIsUnavailable) {
    run(server_->drain(Deadline::after(2s)));
    const auto answer = ask({"a"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kUnavailable);
    EXPECT_THAT(answer.error().message, HasSubstr("embedding.url"));
}

TEST_F(OpenAiEmbedderTest, LimitsTheAnswer) {
    const auto error = error_for(json_answer(std::string((16UL << 20) + 1, ' ')));
    EXPECT_EQ(error.code, Code::kUnavailable);
}

TEST_F(OpenAiEmbedderTest, WaitsNoLongerThanTheDeadline) {
    const auto answer = ask({"a"}, -1ms);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kDeadlineExceeded);
}

TEST(OpenAiOptions, RefusesWhatCannotWork) {
    OpenAiOptions good;
    good.url = "http://127.0.0.1/v1";
    good.model = "m";
    EXPECT_TRUE(OpenAiEmbedder::open(good));
    auto bad = good;
    bad.url = "ftp://127.0.0.1";
    EXPECT_FALSE(OpenAiEmbedder::open(bad));
    bad = good;
    bad.model.clear();
    EXPECT_FALSE(OpenAiEmbedder::open(bad));
    bad = good;
    bad.dimensions = 4097;
    EXPECT_FALSE(OpenAiEmbedder::open(bad));
    bad = good;
    bad.api_key = "key\r\nX-Injected: 1";
    EXPECT_FALSE(OpenAiEmbedder::open(bad));
}

}  // namespace
}  // namespace aeterna::embedding
