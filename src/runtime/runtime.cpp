#include "runtime/runtime.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/thread_pool.hpp>

namespace aeterna {

namespace {

/// Lets the waiting coroutines of all loops go before any loop is destroyed: what they own may
/// belong to another loop.
struct LoopContext : asio::io_context {
    LoopContext() : asio::io_context(1) {}
    void abandon() { shutdown(); }
};

}  // namespace

struct Runtime::Impl {
    struct Loop {
        LoopContext context;
        asio::executor_work_guard<LoopExecutor> work = asio::make_work_guard(context);
        std::thread thread;
    };
    std::vector<std::unique_ptr<Loop>> loops;
    asio::thread_pool pool;
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stopped{false};

    explicit Impl(std::size_t blocking) : pool(blocking) {}
    ~Impl() {
        for (auto& loop : loops) loop->context.abandon();
    }
};

Runtime::Runtime(Options options) {
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    impl_ = std::make_unique<Impl>(options.blocking != 0 ? options.blocking
                                                         : std::max<std::size_t>(2, cores));
    const std::size_t count = options.loops != 0 ? options.loops : cores;
    for (std::size_t i = 0; i < count; ++i) {
        impl_->loops.push_back(std::make_unique<Impl::Loop>());
        auto& loop = *impl_->loops.back();
        loop.thread = std::thread([&loop] { loop.context.run(); });
    }
}

Runtime::~Runtime() {
    stop();
}

std::size_t Runtime::loops() const noexcept {
    return impl_->loops.size();
}
asio::io_context& Runtime::loop(std::size_t index) noexcept {
    return impl_->loops[index]->context;
}
asio::io_context& Runtime::any_loop() noexcept {
    return impl_->loops[impl_->next.fetch_add(1, std::memory_order_relaxed) % impl_->loops.size()]
        ->context;
}

void Runtime::post_blocking(std::function<void()> work) {
    asio::post(impl_->pool, std::move(work));
}

void Runtime::stop() {
    if (impl_->stopped.exchange(true)) return;
    impl_->pool.join();
    for (auto& loop : impl_->loops) {
        loop->work.reset();
        loop->context.stop();
    }
    for (auto& loop : impl_->loops) loop->thread.join();
}

task<bool> sleep_for(std::chrono::milliseconds span) {
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>
        timer(co_await asio::this_coro::executor, span);
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(kAwait, error));
    co_return !error;
}

}  // namespace aeterna
