// Any JSON object as the body of every request of the Memory Service.
#include <cstdint>
#include <string_view>

#include "memory/requests.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace aeterna;
    const auto body =
        json::parse_object(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!body) return 0;
    const memory::Limits limits;
    const MemoryId id;
    if (auto add = memory::read_add(*body, limits)) {
        (void)memory::scope_of(TenantId("t"), add->layer, add->identifiers);
    }
    (void)memory::read_update(id, *body, limits);
    (void)memory::read_feedback(std::nullopt, *body);
    (void)memory::read_promote(std::nullopt, *body, limits);
    (void)memory::read_batch(*body, limits);
    (void)memory::read_search(*body, limits);
    (void)memory::read_list(*body, limits);
    (void)memory::read_start_session(*body, limits);
    (void)memory::read_end_session("s", *body, limits);
    return 0;
}
