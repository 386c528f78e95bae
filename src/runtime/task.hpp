#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace aeterna {

namespace asio = boost::asio;

/// A coroutine on one of the runtime's event loops. The concrete executor saves a type-erased call
/// per wait.
template <class T>
using task = asio::awaitable<T, asio::io_context::executor_type>;

}  // namespace aeterna
