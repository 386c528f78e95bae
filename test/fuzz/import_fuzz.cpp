// Any line as an import: what is taken must export to a line that is taken again, with the same
// content.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "memory/codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace aeterna;
    using namespace aeterna::memory;
    const auto line = parse_export_line(std::string_view(reinterpret_cast<const char*>(data), size),
                                        TenantId("t"), {});
    if (!line) return 0;
    std::vector<MemoryVersion> versions;
    const auto add = [&](const MemoryRecord& record) {
        versions.push_back(
            {record.memory, record.actor, record.change, record.memory.updated_at, std::nullopt});
    };
    for (const MemoryRecord& record : line->older) add(record);
    add(line->present);
    const auto again = parse_export_line(export_line(versions), TenantId("t"), {});
    if (!again || again->present.memory != line->present.memory ||
        again->older.size() != line->older.size()) {
        std::abort();
    }
    return 0;
}
