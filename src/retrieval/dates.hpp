#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace aeterna::retrieval {

/// A calendar date as people write it. 0: that part was not given; the month always is.
struct WrittenDate {
    int year = 0;
    int month = 0;
    int day = 0;
    std::size_t length = 0;  ///< bytes of text it took
};

/// A date at the very front of `text`: "2026-11-23", "23 November 2026", "23rd of Nov",
/// "Nov 23, 2026", "November 2026". Looks at a bounded number of bytes.
[[nodiscard]] std::optional<WrittenDate> date_at(std::string_view text);

/// "january" for 1 and so on.
[[nodiscard]] std::string_view month_name(int month);

}  // namespace aeterna::retrieval
