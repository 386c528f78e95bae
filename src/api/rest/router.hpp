#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/http.hpp"
#include "runtime/task.hpp"
#include "security/principal.hpp"

namespace aeterna::rest {

/// A request that has passed the gate: who calls, until when, with which path parameters.
struct Exchange {
    net::HttpRequest request;
    security::Principal caller;
    Deadline deadline;
    std::string request_id;
    std::vector<std::string> parameters;  ///< percent-decoded values of the {…} parts, in order
};

using Route = std::function<task<net::HttpResponse>(Exchange)>;

/// Routes by method and pattern ("/api/v1/memory/{id}"). A literal part wins over a parameter.
class Router {
  public:
    void add(std::string_view method, std::string_view pattern, Route route);

    struct Match {
        const Route* route = nullptr;
        std::string_view pattern;  ///< for metrics: bounded, unlike the path
        std::vector<std::string> parameters;
    };
    /// kNotFound "no_such_route", or kMethodNotAllowed with the allowed methods in details "allow".
    [[nodiscard]] result<Match> find(std::string_view method, std::string_view path) const;
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> routes()
        const;  ///< (method, pattern)

  private:
    struct Entry {
        std::string method, pattern;
        std::vector<std::string> parts;  ///< "{...}" for a parameter
        Route route;
    };
    std::vector<Entry> entries_;
};

}  // namespace aeterna::rest
