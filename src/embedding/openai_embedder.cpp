#include "embedding/openai_embedder.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "json/codec.hpp"

namespace aeterna::embedding {

namespace {

using Vectors = std::vector<retrieval::PackedVector>;

/// 64 vectors of 4,096 numbers in decimal, and room for what else an endpoint says.
constexpr std::size_t kResponseLimit = 16 * 1024 * 1024;

Error unusable(const std::string& host, const std::string& why) {
    return {Code::kUnavailable, "embedding_answer_unusable",
            "the embedding endpoint " + host + " gave an answer that cannot be used: " + why};
}

/// The endpoint's own text is not passed on: some repeat the key in it.
Error refused(const std::string& host, const net::HttpResponse& response) {
    const std::string who = "the embedding endpoint " + host;
    const std::string status = std::to_string(response.status);
    switch (response.status) {
        case 401:
        case 403:
            return {Code::kUnavailable, "embedding_unauthorized",
                    who + " refused the API key (" + status +
                        "); check embedding.api_key (AETERNA_EMBEDDING_API_KEY)"};
        case 404:
            return {Code::kUnavailable, "embedding_not_found",
                    who +
                        " does not know the path or the model (404); check embedding.url and "
                        "embedding.model"};
        case 429: {
            Error error(Code::kRateLimited, "embedding_rate_limited",
                        who + " takes no more requests at the moment (429); try again later");
            const auto after = response.headers.find("Retry-After").value_or("");
            std::int64_t seconds = 0;
            const auto* const end = after.data() + after.size();
            const auto parsed = std::from_chars(after.data(), end, seconds);
            if (!after.empty() && parsed.ptr == end && parsed.ec == std::errc() && seconds >= 0) {
                return std::move(error).with("retry_after", seconds);
            }
            return error;
        }
        default:
            break;
    }
    if (response.status >= 500) {
        return {Code::kUnavailable, "embedding_failed", who + " failed (" + status + ")"};
    }
    return {Code::kUnavailable, "embedding_refused",
            who + " refused the request (" + status + "); check embedding.url, embedding.model " +
                "and embedding.dimensions"};
}

/// Why it is no vector, or empty.
std::string read_vector(const json::Value& value, std::size_t dimensions, std::vector<float>& out) {
    const auto* const numbers = value.if_array();
    if (numbers == nullptr) return "an embedding is not an array";
    if (numbers->empty()) return "an embedding is empty";
    if (numbers->size() > OpenAiEmbedder::kMaxDimensions ||
        (dimensions != 0 && numbers->size() != dimensions)) {
        return "an embedding has " + std::to_string(numbers->size()) + " dimensions, not " +
               (dimensions != 0 ? std::to_string(dimensions)
                                : std::to_string(OpenAiEmbedder::kMaxDimensions) + " or fewer");
    }
    out.clear();
    for (const json::Value& number : *numbers) {
        boost::system::error_code error;
        const auto x = number.is_number() ? static_cast<float>(number.to_number<double>(error))
                                          : std::nanf("");
        if (error || !std::isfinite(x)) return "an embedding holds something that is no number";
        out.push_back(x);
    }
    return {};
}

}  // namespace

result<std::unique_ptr<OpenAiEmbedder>> OpenAiEmbedder::open(OpenAiOptions options) {
    auto url = net::Url::parse(options.url);
    if (!url) return fail(std::move(url).error());
    if (options.model.empty() || options.model.size() > 200) {
        return fail(Code::kRuleViolation, "embedding.model must have 1 to 200 characters");
    }
    if (options.dimensions > kMaxDimensions) {
        return fail(Code::kRuleViolation, "embedding.dimensions must be at most 4096");
    }
    if (!std::ranges::all_of(options.api_key, [](char c) { return c > ' ' && c <= '~'; })) {
        return fail(Code::kRuleViolation,
                    "embedding.api_key has a space or a character that no header can carry");
    }
    return std::unique_ptr<OpenAiEmbedder>(new OpenAiEmbedder(std::move(options), std::move(*url)));
}

OpenAiEmbedder::OpenAiEmbedder(OpenAiOptions options, net::Url url)
    : options_(std::move(options)),
      host_(url.authority()),
      identity_{"openai:" + options_.model + "@" + url.host, options_.dimensions},
      dimensions_(options_.dimensions),
      client_(std::move(url),
              {.response_limit = kResponseLimit, .ca_file = std::move(options_.ca_file)}) {}

const memory::EmbedderIdentity& OpenAiEmbedder::identity() const {
    return identity_;
}

task<result<Vectors>> OpenAiEmbedder::embed(std::vector<std::string> texts, Deadline deadline) {
    Vectors out;
    out.reserve(texts.size());
    for (std::size_t first = 0; first < texts.size(); first += kBatch) {
        const auto begin = texts.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end =
            begin + static_cast<std::ptrdiff_t>(std::min(kBatch, texts.size() - first));
        std::vector<std::string> batch{std::move_iterator(begin), std::move_iterator(end)};
        auto vectors = co_await embed_batch(std::move(batch), deadline);
        if (!vectors) co_return fail(std::move(vectors).error());
        std::ranges::move(*vectors, std::back_inserter(out));
    }
    co_return out;
}

task<result<Vectors>> OpenAiEmbedder::embed_batch(std::vector<std::string> texts,
                                                  Deadline deadline) {
    json::Object body{{"model", options_.model}};
    if (options_.dimensions != 0) body["dimensions"] = options_.dimensions;
    json::Array input;
    // Endpoints refuse an empty text, and with it the whole batch.
    for (const std::string& text : texts) input.emplace_back(text.empty() ? " " : text);
    body["input"] = std::move(input);

    net::HttpRequest request;
    request.method = "POST";
    request.path = request.target = "/embeddings";
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Accept", "application/json");
    if (!options_.api_key.empty()) {
        request.headers.set("Authorization", "Bearer " + options_.api_key);
    }
    request.body = json::write(json::Value(std::move(body)));
    request.repeatable = true;

    auto response = co_await client_.send(std::move(request), deadline);
    if (!response) {
        if (deadline.passed()) {
            co_return fail(Code::kDeadlineExceeded, "the embedding endpoint " + host_ +
                                                        " did not answer within the deadline");
        }
        // Embedding changes nothing there: an unknown outcome is only an answer that is missing.
        co_return fail(Code::kUnavailable, "embedding_unreachable",
                       "the embedding endpoint " + host_ +
                           " gave no answer; check embedding.url and that it runs (" +
                           std::string(response.error().machine_code()) + ")");
    }
    if (response->status != 200) co_return fail(refused(host_, *response));
    co_return read(response->body, texts.size());
}

result<Vectors> OpenAiEmbedder::read(const std::string& body, std::size_t count) {
    const auto answer = json::parse_object(body);
    if (!answer) return fail(unusable(host_, "it is not JSON"));
    const auto* const member = answer->if_contains("data");
    const auto* const data = member == nullptr ? nullptr : member->if_array();
    if (data == nullptr) return fail(unusable(host_, "it has no array \"data\""));
    if (data->size() != count) {
        return fail(unusable(host_, std::to_string(data->size()) + " embeddings came for " +
                                        std::to_string(count) + " texts"));
    }

    Vectors out(count);
    std::vector<float> vector;
    for (std::size_t position = 0; position < count; ++position) {
        const auto* const item = (*data)[position].if_object();
        const auto* const embedding = item == nullptr ? nullptr : item->if_contains("embedding");
        if (embedding == nullptr) return fail(unusable(host_, "an item has no \"embedding\""));
        std::size_t index = position;
        if (const auto* const given = item->if_contains("index")) {
            const auto* const number = given->if_int64();
            if (number == nullptr || *number < 0 || std::cmp_greater_equal(*number, count)) {
                return fail(unusable(host_, "an \"index\" is not that of a text"));
            }
            index = static_cast<std::size_t>(*number);
        }
        if (!out[index].empty()) return fail(unusable(host_, "two embeddings have one \"index\""));
        const auto wrong = read_vector(*embedding, dimensions_.load(), vector);
        if (!wrong.empty()) return fail(unusable(host_, wrong));
        std::size_t unknown = 0;
        if (!dimensions_.compare_exchange_strong(unknown, vector.size()) &&
            unknown != vector.size()) {
            return fail(unusable(host_, "its embeddings differ in dimensions"));
        }
        out[index] = retrieval::pack(vector);
    }
    return out;
}

}  // namespace aeterna::embedding
