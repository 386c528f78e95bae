#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/rest/gate.hpp"
#include "api/rest/router.hpp"
#include "base/clock.hpp"
#include "base/ids.hpp"
#include "json/codec.hpp"
#include "memory/ports.hpp"
#include "net/http.hpp"

namespace aeterna::rest {

/// What the API counts; implemented by a probe of the service.
class ApiProbe {
  public:
    virtual ~ApiProbe() = default;
    virtual void answered(std::string_view method, std::string_view pattern, int status,
                          std::chrono::nanoseconds took) = 0;
};

struct RestOptions {
    std::chrono::milliseconds read_deadline{10'000};
    std::chrono::milliseconds write_deadline{30'000};
    std::size_t json_depth = 32;
};

enum class RouteKind : std::uint8_t { kRead, kWrite };

/// The API listener's handler: request id, deadline, gate, route, error body, access log. Modules
/// add their routes.
class RestApi {
  public:
    RestApi(const Gate& gate, const Clock& clock, RestOptions options, ApiProbe* probe = nullptr);

    /// Every route passes the gate. `kind` chooses the default deadline.
    void add(std::string_view method, std::string_view pattern, RouteKind kind, Route route);
    /// Everything below `prefix` answers 501 with this text.
    void add_not_built(std::string prefix, std::string text);

    [[nodiscard]] task<net::HttpResponse> handle(net::HttpRequest request);
    [[nodiscard]] const RestOptions& options() const noexcept { return options_; }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes() const {
        return router_.routes();
    }

  private:
    struct Prepared;
    task<net::HttpResponse> dispatch(net::HttpRequest request, std::string request_id,
                                     std::string& pattern);

    const Gate& gate_;
    const Clock& clock_;
    RestOptions options_;
    ApiProbe* probe_;
    Router router_;
    std::vector<std::pair<std::string, RouteKind>> kinds_;  ///< by pattern and method
    std::vector<std::pair<std::string, std::string>> not_built_;
};

/// The JSON object of a body; 415 for another content type (an empty body is {} when `optional`).
[[nodiscard]] result<json::Object> body_object(const Exchange& exchange, std::size_t depth,
                                               bool optional = false);
/// The claim of a write that carries an Idempotency-Key; its fingerprint covers method, path and
/// canonical body.
[[nodiscard]] result<std::optional<memory::IdempotencyClaim>> claim_of(const Exchange& exchange,
                                                                       const json::Value& body);
/// The version of an If-Match header: "7" in quotes; "*" is no condition.
[[nodiscard]] result<std::optional<std::int64_t>> if_match(const net::HttpRequest& request);

}  // namespace aeterna::rest
