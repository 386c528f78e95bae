// Any bytes as an index snapshot. A mutated file rarely has the right checksums, so the corpus
// starts from whole ones.
#include <cstdint>
#include <span>

#include "retrieval/snapshot.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace aeterna::retrieval;
    const auto parsed = parse_snapshot({data, size});
    if (!parsed) return 0;
    Query query;
    query.text = "a";
    parsed->index->for_each([&](const std::string& partition, const aeterna::Uuid&, std::int64_t) {
        if (query.partitions.empty()) query.partitions.push_back(partition);
    });
    (void)parsed->index->search(query);
    return 0;
}
