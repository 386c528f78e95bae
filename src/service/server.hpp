#pragma once
#include <memory>
#include <string>

#include "base/result.hpp"
#include "config/settings.hpp"
#include "runtime/runtime.hpp"

namespace aeterna::service {

/// The composition root of the embedded server: the only place that knows which store, index and
/// embedder stand behind the ports. Life: construct, start, (wait for a signal), stop.
class Server {
  public:
    explicit Server(config::Settings settings);
    ~Server();

    /// Opens the operations listener first, then the store, the index (filled in the background)
    /// and the API. An Error says what to do; whatever had been opened is closed again by stop().
    [[nodiscard]] result<void> start();
    /// Readiness goes first, then running requests finish (at most server.drain_timeout), then the
    /// store is closed.
    void stop();

    [[nodiscard]] std::string url() const;  ///< of the API, once started
    [[nodiscard]] std::string ops_url() const;
    [[nodiscard]] Runtime& runtime() noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::service
