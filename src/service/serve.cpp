#include "service/serve.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>

#include "observe/log.hpp"
#include "service/server.hpp"

namespace aeterna::service {

namespace {

log::Level level_of(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::kDebug:
            return log::Level::kDebug;
        case config::LogLevel::kInfo:
            return log::Level::kInfo;
        case config::LogLevel::kWarn:
            return log::Level::kWarn;
        case config::LogLevel::kError:
            return log::Level::kError;
    }
    return log::Level::kInfo;
}

log::Format format_of(config::LogFormat format) {
    if (format == config::LogFormat::kAuto)
        return isatty(STDERR_FILENO) != 0 ? log::Format::kText : log::Format::kJson;
    return format == config::LogFormat::kText ? log::Format::kText : log::Format::kJson;
}

}  // namespace

int serve(const config::Settings& settings) {
    log::configure(level_of(settings.log.level), format_of(settings.log.format));
    for (const std::string& role : settings.roles) {
        if (role != "memory") {
            fmt::print(stderr,
                       "error: the role {} is not built in this version; only memory is (see the "
                       "status table in the "
                       "README)\n",
                       role);
            return EXIT_FAILURE;
        }
    }
    std::signal(SIGPIPE, SIG_IGN);
    // On a loop of its own: the first signal drains, a second one means it.
    asio::io_context signal_loop;
    asio::signal_set signals(signal_loop, SIGINT, SIGTERM);
    std::promise<int> asked_to_stop;
    bool draining = false;
    std::function<void(const boost::system::error_code&, int)> on_signal =
        [&](const boost::system::error_code& error, int number) {
            if (error) return;
            if (draining) std::_Exit(128 + number);
            draining = true;
            asked_to_stop.set_value(number);
            signals.async_wait(on_signal);
        };
    signals.async_wait(on_signal);
    std::thread signal_thread([&] { signal_loop.run(); });
    const auto end = [&](int code) {
        signal_loop.stop();
        signal_thread.join();
        return code;
    };

    Server server(settings);
    if (const auto started = server.start(); !started) {
        fmt::print(stderr, "error: {}\n", started.error().message);
        server.stop();
        return end(EXIT_FAILURE);
    }
    if (isatty(STDERR_FILENO) != 0)
        fmt::print(stderr, "Aeterna serves at {}; Ctrl-C stops it.\n", server.url());
    const int number = asked_to_stop.get_future().get();
    log::info("stopping", {{"signal", number}});
    server.stop();
    log::info("stopped");
    return end(EXIT_SUCCESS);
}

}  // namespace aeterna::service
