#pragma once
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "runtime/task.hpp"

namespace aeterna {

using LoopExecutor = asio::io_context::executor_type;
/// The completion token of every wait: keeps the concrete executor of `task`.
inline constexpr asio::use_awaitable_t<LoopExecutor> kAwait{};

/// Owns the program's threads: one event loop per core and a pool for work that blocks or computes.
/// Made first and stopped last; `stop()` joins everything.
class Runtime {
  public:
    struct Options {
        std::size_t loops = 0;     ///< 0: one per core
        std::size_t blocking = 0;  ///< 0: as many as cores, at least two
    };
    explicit Runtime(Options options);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    [[nodiscard]] std::size_t loops() const noexcept;
    [[nodiscard]] asio::io_context& loop(std::size_t index) noexcept;
    /// The next loop in turn, for work that belongs nowhere.
    [[nodiscard]] asio::io_context& any_loop() noexcept;
    /// Runs on the blocking pool; the caller keeps what it captures alive. It must not throw.
    void post_blocking(std::function<void()> work);
    /// Waits for the blocking pool's work, ends the loops after their present handlers, and joins.
    /// Idempotent. Coroutines that still wait are destroyed with the Runtime, never resumed.
    void stop();

    /// `co_await runtime.blocking([&] { ... })`: runs fn on the pool, comes back on the caller's
    /// loop. What fn throws is thrown there.
    template <class Fn>
    task<std::invoke_result_t<Fn>> blocking(Fn fn) {
        using R = std::invoke_result_t<Fn>;
        using Slot = std::conditional_t<std::is_void_v<R>, std::monostate, std::optional<R>>;
        auto executor = co_await asio::this_coro::executor;
        Slot slot;
        auto start = [this, executor, &fn, &slot](auto handler) {
            auto shared = std::make_shared<decltype(handler)>(std::move(handler));
            post_blocking([shared = std::move(shared), executor, &fn, &slot]() mutable {
                std::exception_ptr thrown;
                try {
                    if constexpr (std::is_void_v<R>) {
                        fn();
                        slot = {};
                    } else {
                        slot.emplace(fn());
                    }
                } catch (...) {
                    thrown = std::current_exception();
                }
                asio::post(executor, [shared = std::move(shared), thrown]() mutable {
                    std::move (*shared)(std::move(thrown));
                });
            });
        };
        co_await asio::async_initiate<decltype(kAwait), void(std::exception_ptr)>(std::move(start),
                                                                                  kAwait);
        if constexpr (!std::is_void_v<R>) co_return std::move(*slot);
    }

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Waits until `span` has passed; returns early, false, when the coroutine is cancelled.
[[nodiscard]] task<bool> sleep_for(std::chrono::milliseconds span);

}  // namespace aeterna
