#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/requests.hpp"
#include "net/http.hpp"
#include "net/http_client.hpp"

namespace aeterna::cli {

struct Server {
    net::Url url;
    std::string token;  ///< empty: none is sent
    std::chrono::milliseconds timeout{30'000};
};

/// Talks to one server, blocking, with the retries of cli/retry.hpp. Writes carry an
/// Idempotency-Key that stays the same over all attempts.
class Client {
  public:
    explicit Client(Server server);
    ~Client();

    /// Any answer, also an error one, is a value; an Error means that there was none. Then
    /// kUnavailable: nobody listens there; kOutcomeUnknown: it may have happened.
    [[nodiscard]] result<net::HttpResponse> call(Call call);
    /// One attempt, whose body goes to `sink` piece by piece (false: stop).
    [[nodiscard]] result<net::HttpResponse> stream(Call call,
                                                   std::function<bool(std::string_view)> sink);
    /// Told before each wait; the text says what is being waited for.
    void on_wait(std::function<void(std::string_view)> listener);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::cli
