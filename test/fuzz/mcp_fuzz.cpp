#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "api/mcp/bridge_message.hpp"
#include "api/mcp/memory_tools.hpp"
#include "api/mcp/test_support.hpp"

// One message as a socket could send it: through the envelope, the version and header rules and the
// memory tools over a small store; then as a line and as an answer of the stdio bridge. The first
// byte chooses the headers.

using namespace aeterna;

namespace {

/// Made once: building the schemas takes longer than any input.
struct World {
    mcp::testing::VectorStore store;
    mcp::testing::WordIndex index{store};
    mcp::testing::NoEmbedder embedder;
    mcp::testing::StillClock clock;
    memory::MemoryService service{{store, index, embedder, clock, system_uuid_source()}, {}};
    std::unique_ptr<mcp::Engine> engine = mcp::make_memory_engine(service);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::uint8_t choice = data[0];
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);

    static World world;
    world.store.clear();
    const mcp::Engine* engine = world.engine.get();

    mcp::MirroredHeaders headers;
    if ((choice & 1) != 0) headers.version = (choice & 2) != 0 ? "2026-07-28" : "2025-11-25";
    if ((choice & 4) != 0) headers.method = "tools/call";
    if ((choice & 8) != 0) headers.name = "memory_add";
    if (auto value = engine->parse(text)) {
        auto prepared = engine->prepare(*value, (choice & 16) != 0 ? nullptr : &headers);
        if (auto* request = std::get_if<mcp::Request>(&prepared)) {
            const auto answer = mcp::testing::run(
                engine->run(std::move(*request), security::loopback_principal(),
                            Deadline::after(std::chrono::seconds(5)), "", nullptr));
            // Every request has an answer, and every answer reads back.
            if (!answer.body || !json::parse(json::write(*answer.body), {100})) std::abort();
        }
    }

    if (auto line = mcp::read_line(text, "key")) {
        (void)mcp::request_for(*line, "2025-11-25", "");
        if (line->body.find('\n') != std::string::npos && text.find('\n') == std::string_view::npos)
            std::abort();
    }
    mcp::AnswerReader reader;
    for (std::size_t at = 0; at < text.size(); at += choice + 1U)
        for (auto& message : reader.feed(text.substr(at, choice + 1U)))
            (void)mcp::read_answer(std::move(message), "1");
    for (auto& message : reader.finish()) (void)mcp::read_answer(std::move(message), "\"a\"");
    (void)mcp::decode_mirrored(text);
    return 0;
}
