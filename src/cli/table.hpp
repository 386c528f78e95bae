#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace aeterna::cli {

/// How to print: chosen once at the start, so that everything below is a pure function of it.
struct Style {
    bool color = false;
    std::size_t width = 80;

    [[nodiscard]] std::string bold(std::string_view text) const;
    [[nodiscard]] std::string dim(std::string_view text) const;
    [[nodiscard]] std::string red(std::string_view text) const;
    [[nodiscard]] std::string green(std::string_view text) const;
};
/// For standard output (1) or standard error (2) of this process: colour only on a terminal, and
/// not when NO_COLOR is set or TERM is "dumb".
[[nodiscard]] Style style_of(int descriptor);
[[nodiscard]] bool is_terminal(int descriptor);

struct Column {
    std::string title;
    bool right = false;
    bool stretch = false;        ///< takes what the others leave and wraps; at most one
    std::size_t max_width = 40;  ///< of the others; longer cells end in "…"
};

/// A table for people. Cells must be printable (cli/width.hpp); those of the stretching column may
/// hold line feeds, and `notes` are printed dim below their row in that column.
class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> cells, std::string note = {});
    /// Lines of at most `style.width` columns, each with its line feed.
    [[nodiscard]] std::string render(const Style& style, std::size_t max_lines = 0) const;
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }

  private:
    struct Row {
        std::vector<std::string> cells;
        std::string note;
    };
    [[nodiscard]] std::vector<std::size_t> widths(std::size_t total) const;

    std::vector<Column> columns_;
    std::vector<Row> rows_;
};

/// "name   value" lines, aligned; long values wrap.
class Facts {
  public:
    void add(std::string name, std::string value);
    [[nodiscard]] std::string render(const Style& style) const;

  private:
    std::vector<std::pair<std::string, std::string>> items_;
};

}  // namespace aeterna::cli
