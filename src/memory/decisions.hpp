#pragma once
#include <optional>
#include <string>

#include "memory/ports.hpp"
#include "memory/requests.hpp"
#include "security/principal.hpp"

/// The writes of the Memory Service as questions with pure answers: each function says what must be
/// read and gives a `decide` that turns what was read into the change. No I/O, no clock, no
/// randomness but what is passed in.
namespace aeterna::memory {

/// What every decision knows of its call.
struct Call {
    security::Principal caller;
    Timestamp now{};
};

/// The vector of some content, made before the transaction; empty when the embedder was away.
struct Meaning {
    retrieval::PackedVector vector;
    std::string embedder;
};

/// Identical content in the scope reinforces: importance moves a tenth of the way to 1, decay
/// starts anew.
[[nodiscard]] result<Command> add_command(const Call& call, AddRequest request, MemoryId fresh_id,
                                          Meaning meaning);
/// `meaning` is used only when the content changes.
[[nodiscard]] Command update_command(const Call& call, UpdateRequest request, Meaning meaning);
[[nodiscard]] Command delete_command(const Call& call, DeleteRequest request);
/// importance ← clamp((importance + score) / 2, 0, 1); counts per reward type are kept in
/// metadata.feedback.
[[nodiscard]] Command feedback_command(const Call& call, FeedbackRequest request);
/// `source` is the memory as it was read before; the decision holds only while its content is
/// unchanged.
[[nodiscard]] result<Command> promote_command(const Call& call, PromoteRequest request,
                                              const Memory& source, MemoryId fresh_id,
                                              Meaning meaning);
[[nodiscard]] Command start_session_command(const Call& call, StartSessionRequest request);
[[nodiscard]] Command end_session_command(const Call& call, std::string id);
/// Brings a record in with its id, times and versions. One that is already there with this version
/// is left alone.
[[nodiscard]] Command import_command(const Call& call, MemoryRecord present,
                                     std::vector<MemoryRecord> older);

}  // namespace aeterna::memory
