#pragma once
#include <string_view>

namespace aeterna::retrieval {

/// The stem of a lower-case English word; other words come back as they are. The view is good until
/// this thread's next call.
[[nodiscard]] std::string_view stem(std::string_view word);

}  // namespace aeterna::retrieval
