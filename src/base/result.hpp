#pragma once
#include <utility>

#include <tl/expected.hpp>

#include "base/error.hpp"

namespace aeterna {

/// A value, or an Error that says whether to try again, whose fault it was and whether it took
/// effect.
template <class T>
using result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}
[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string message) {
    return tl::unexpected<Error>(Error(code, std::move(message)));
}
[[nodiscard]] inline tl::unexpected<Error> fail(Code code, std::string reason,
                                                std::string message) {
    return tl::unexpected<Error>(Error(code, std::move(reason), std::move(message)));
}

}  // namespace aeterna

/// Hands an error to the caller: `AETERNA_TRY(call())`, in a coroutine `AETERNA_CO_TRY(co_await
/// call())`.
#define AETERNA_TRY(expression)                                                      \
    do {                                                                             \
        auto&& aeterna_tried = (expression);                                         \
        if (!aeterna_tried) return tl::unexpected(std::move(aeterna_tried).error()); \
    } while (false)
#define AETERNA_CO_TRY(expression)                                                      \
    do {                                                                                \
        auto&& aeterna_tried = (expression);                                            \
        if (!aeterna_tried) co_return tl::unexpected(std::move(aeterna_tried).error()); \
    } while (false)
