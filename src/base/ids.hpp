#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"

namespace aeterna {

/// A string that means one thing; two kinds never mix.
template <class Tag>
class StrongText {
  public:
    StrongText() = default;
    explicit StrongText(std::string text) : text_(std::move(text)) {}
    [[nodiscard]] const std::string& str() const noexcept { return text_; }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    auto operator<=>(const StrongText&) const = default;

  private:
    std::string text_;
};

using TenantId = StrongText<struct TenantTag>;
using Subject = StrongText<struct SubjectTag>;

/// RFC 9562 version 7: 48 bits of milliseconds, then a counter and randomness, so that ids made by
/// one process ascend.
struct Uuid {
    std::array<std::uint8_t, 16> bytes{};
    auto operator<=>(const Uuid&) const = default;
    [[nodiscard]] std::string str() const;
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
    [[nodiscard]] std::span<const std::uint8_t> view() const { return bytes; }
    [[nodiscard]] static std::optional<Uuid> from_bytes(std::span<const std::uint8_t> raw);
};

template <class Tag>
struct StrongUuid {
    Uuid value;
    auto operator<=>(const StrongUuid&) const = default;
    [[nodiscard]] std::string str() const { return value.str(); }
    [[nodiscard]] static std::optional<StrongUuid> parse(std::string_view text) {
        auto uuid = Uuid::parse(text);
        if (!uuid) return std::nullopt;
        return StrongUuid{*uuid};
    }
};

using MemoryId = StrongUuid<struct MemoryTag>;
using KeyId = StrongUuid<struct KeyTag>;

/// Makes UUIDv7s that ascend strictly within one source, whatever the clock does. Safe from any
/// thread.
class UuidSource {
  public:
    virtual ~UuidSource() = default;
    [[nodiscard]] virtual Uuid next(Timestamp now) = 0;
};
[[nodiscard]] UuidSource& system_uuid_source();

}  // namespace aeterna

template <>
struct std::hash<aeterna::Uuid> {
    std::size_t operator()(const aeterna::Uuid& id) const noexcept {
        std::uint64_t tail = 0;
        std::memcpy(&tail, id.bytes.data() + 8, sizeof tail);
        std::uint64_t head = 0;
        std::memcpy(&head, id.bytes.data(), sizeof head);
        return static_cast<std::size_t>(tail ^ (head * 0x9e3779b97f4a7c15ULL));
    }
};
template <class Tag>
struct std::hash<aeterna::StrongUuid<Tag>> {
    std::size_t operator()(const aeterna::StrongUuid<Tag>& id) const noexcept {
        return std::hash<aeterna::Uuid>{}(id.value);
    }
};
template <class Tag>
struct std::hash<aeterna::StrongText<Tag>> {
    std::size_t operator()(const aeterna::StrongText<Tag>& text) const noexcept {
        return std::hash<std::string>{}(text.str());
    }
};
