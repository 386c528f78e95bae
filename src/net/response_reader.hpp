#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace aeterna::net {

/// The client's half of HTTP/1.1 without sockets: bytes in, one answer out. Interim answers (1xx)
/// are skipped. The body collects in response().body; who streams takes it out after each step.
class ResponseReader {
  public:
    enum class Step : std::uint8_t {
        kMore,  ///< fill space(), call received(); at the peer's end call ended()
        kDone,
        kBad,  ///< problem() says why
    };

    /// `to_head`: the answer to HEAD, which has no body whatever its headers say. `streamed`: the
    /// limit is not for bodies of 2xx answers, which are taken out as they come.
    ResponseReader(bool to_head, bool streamed, std::size_t body_limit);
    ~ResponseReader();
    ResponseReader(const ResponseReader&) = delete;

    [[nodiscard]] std::span<char> space();
    void received(std::size_t count);
    [[nodiscard]] Step next();
    /// The peer has closed: complete only where the close is the framing.
    [[nodiscard]] Step ended();

    [[nodiscard]] bool head_done() const noexcept;
    /// One byte of the answer, interim ones included, has come.
    [[nodiscard]] bool started() const noexcept;
    /// After kDone: the connection may carry another request.
    [[nodiscard]] bool reusable() const noexcept;
    [[nodiscard]] HttpResponse& response() noexcept;
    [[nodiscard]] std::string_view problem() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace aeterna::net
