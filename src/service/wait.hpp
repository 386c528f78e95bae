#pragma once
#include <future>
#include <optional>

#include <boost/asio/co_spawn.hpp>

#include "runtime/runtime.hpp"

namespace aeterna::service {

/// Runs a coroutine on a loop and blocks this thread (which must not be a loop) until it is done.
template <class T>
T run_and_wait(Runtime& runtime, task<T> work) {
    std::promise<T> promise;
    auto future = promise.get_future();
    asio::co_spawn(runtime.any_loop(), std::move(work),
                   [&promise](std::exception_ptr error, auto... value) {
                       if (error) {
                           promise.set_exception(error);
                       } else {
                           promise.set_value(std::move(value)...);
                       }
                   });
    return future.get();
}

}  // namespace aeterna::service
