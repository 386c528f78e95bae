#pragma once
#include <chrono>
#include <string>
#include <string_view>

namespace aeterna::cli {

/// One line on standard error that is written over and over; only on a terminal and only for work
/// that takes longer than two seconds.
class Progress {
  public:
    Progress();
    ~Progress();  ///< clears the line
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// At most five times a second.
    void show(std::string_view text);

  private:
    bool wanted_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point next_;
};

}  // namespace aeterna::cli
