#include "runtime/runtime.hpp"

#include <future>
#include <stdexcept>
#include <thread>

#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

namespace aeterna {
namespace {

using namespace std::chrono_literals;

task<std::thread::id> there_and_back(Runtime& runtime, std::thread::id& pool) {
    co_await runtime.blocking([&] { pool = std::this_thread::get_id(); });
    co_return std::this_thread::get_id();
}

TEST(Runtime, blocking_work_runs_on_the_pool_and_comes_back) {
    Runtime runtime({.loops = 2, .blocking = 1});
    std::thread::id loop;
    std::promise<void> known;
    asio::post(runtime.loop(1), [&] {
        loop = std::this_thread::get_id();
        known.set_value();
    });
    known.get_future().wait();
    std::thread::id pool;
    auto back =
        asio::co_spawn(runtime.loop(1), there_and_back(runtime, pool), asio::use_future).get();
    EXPECT_EQ(back, loop);
    EXPECT_NE(pool, loop);
}

struct NoDefault {
    explicit NoDefault(int v) : value(v) {}
    int value;
};

task<int> value_of(Runtime& runtime) {
    const NoDefault got = co_await runtime.blocking([] { return NoDefault(7); });
    co_return got.value;
}

TEST(Runtime, blocking_work_hands_back_any_value) {
    Runtime runtime({.loops = 1, .blocking = 1});
    EXPECT_EQ(asio::co_spawn(runtime.loop(0), value_of(runtime), asio::use_future).get(), 7);
}

task<std::string> caught(Runtime& runtime) {
    try {
        co_await runtime.blocking([]() -> int { throw std::runtime_error("broken"); });
    } catch (const std::exception& error) {
        co_return error.what();
    }
    co_return "";
}

TEST(Runtime, what_blocking_work_throws_reaches_the_caller) {
    Runtime runtime({.loops = 1, .blocking = 1});
    EXPECT_EQ(asio::co_spawn(runtime.loop(0), caught(runtime), asio::use_future).get(), "broken");
}

TEST(Runtime, uses_every_loop_in_turn) {
    Runtime runtime({.loops = 3, .blocking = 1});
    auto* first = &runtime.any_loop();
    auto* second = &runtime.any_loop();
    EXPECT_NE(first, second);
    EXPECT_NE(&runtime.any_loop(), first);
    EXPECT_EQ(&runtime.any_loop(), first);
}

struct Tracker {
    int& destroyed;
    ~Tracker() { ++destroyed; }
};

task<void> wait_for_ever(std::shared_ptr<Tracker> held, std::promise<void>& waiting) {
    waiting.set_value();
    co_await sleep_for(1h);
    held.reset();
}

// A coroutine of one loop may own timers of another: no loop may be gone before all have let go.
task<void> own_a_timer_of(asio::io_context& other, std::shared_ptr<Tracker> held,
                          std::promise<void>& waiting) {
    asio::steady_timer timer(other, 1h);
    timer.async_wait([held](boost::system::error_code) {});
    waiting.set_value();
    co_await sleep_for(1h);
}

TEST(Runtime, destroys_what_still_waits) {
    int destroyed = 0;
    {
        Runtime runtime({.loops = 2, .blocking = 1});
        std::promise<void> waiting[3];
        asio::co_spawn(runtime.loop(0),
                       wait_for_ever(std::make_shared<Tracker>(Tracker{destroyed}), waiting[0]),
                       asio::detached);
        for (std::size_t i = 0; i < 2; ++i) {
            asio::co_spawn(
                runtime.loop(i),
                own_a_timer_of(runtime.loop(1 - i), std::make_shared<Tracker>(Tracker{destroyed}),
                               waiting[i + 1]),
                asio::detached);
        }
        for (auto& one : waiting) one.get_future().wait();
        destroyed = 0;  // the temporaries above
        runtime.stop();
        runtime.stop();
        EXPECT_EQ(destroyed, 0);
    }
    EXPECT_EQ(destroyed, 3);
}

task<bool> nap(std::chrono::milliseconds span) {
    co_return co_await sleep_for(span);
}

TEST(Runtime, sleeps_and_says_whether_it_slept) {
    Runtime runtime({.loops = 1, .blocking = 1});
    const auto started = std::chrono::steady_clock::now();
    EXPECT_TRUE(asio::co_spawn(runtime.loop(0), nap(20ms), asio::use_future).get());
    EXPECT_GE(std::chrono::steady_clock::now() - started, 20ms);
}

}  // namespace
}  // namespace aeterna
