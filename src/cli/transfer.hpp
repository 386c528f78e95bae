#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/client.hpp"
#include "cli/parse.hpp"
#include "json/codec.hpp"

namespace aeterna::cli {

[[nodiscard]] int run_transfer(const Invocation& line, const Server& server);

/// Cuts a stream of lines into bodies for POST /import: whole lines only, each body at most
/// `max_bytes` and `max_lines`.
class LineBatches {
  public:
    struct Batch {
        std::string text;
        std::size_t first_line = 1;  ///< of the whole input, counted from 1
        std::size_t lines = 0;
    };
    struct TooLong {
        std::size_t line;
    };
    LineBatches(std::size_t max_bytes, std::size_t max_lines)
        : max_bytes_(max_bytes), max_lines_(max_lines) {}

    /// Takes the next piece of the input; gives the batches that are full.
    [[nodiscard]] std::vector<Batch> feed(std::string_view piece);
    /// The rest, after the last piece; at most two.
    [[nodiscard]] std::vector<Batch> finish();
    /// Lines that fit into no batch; they were left out.
    [[nodiscard]] const std::vector<TooLong>& too_long() const noexcept { return too_long_; }

  private:
    void end_line(std::vector<Batch>& full);

    std::size_t max_bytes_;
    std::size_t max_lines_;
    Batch batch_;
    std::string line_;
    bool skipping_ = false;
    std::size_t number_ = 1;
    std::vector<TooLong> too_long_;
};

/// Adds up the reports of POST /import; line numbers become those of the whole input.
class ImportTotals {
  public:
    void add(const json::Object& report, std::size_t first_line);
    void add_failure(std::size_t line, std::string_view machine_code, std::string message);
    [[nodiscard]] json::Object report() const;
    [[nodiscard]] std::uint64_t imported() const noexcept { return imported_; }
    [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

  private:
    std::uint64_t imported_ = 0;
    std::uint64_t skipped_ = 0;
    std::uint64_t failed_ = 0;
    json::Array errors_;  ///< at most 100
};

}  // namespace aeterna::cli
