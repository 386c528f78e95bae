#include "base/ids.hpp"

#include <mutex>

#include "base/hash.hpp"

namespace aeterna {

std::string Uuid::str() const {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out;
    out.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
        out.push_back(kHex[bytes[i] >> 4]);
        out.push_back(kHex[bytes[i] & 15]);
    }
    return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    const auto nibble = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    Uuid out;
    std::size_t at = 0;
    for (std::size_t i = 0; i < text.size();) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') return std::nullopt;
            ++i;
            continue;
        }
        const int high = nibble(text[i]);
        const int low = nibble(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.bytes[at++] = static_cast<std::uint8_t>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::optional<Uuid> Uuid::from_bytes(std::span<const std::uint8_t> raw) {
    Uuid out;
    if (raw.size() != out.bytes.size()) return std::nullopt;
    std::copy(raw.begin(), raw.end(), out.bytes.begin());
    return out;
}

namespace {

/// Version 7 with a 74-bit tail: within one millisecond (or when the clock steps back) the tail
/// counts up.
class SystemUuidSource final : public UuidSource {
  public:
    Uuid next(Timestamp now) override {
        const std::uint64_t millis = static_cast<std::uint64_t>(to_micros(now) / 1000);
        const std::scoped_lock lock(mutex_);
        if (millis > millis_) {
            millis_ = millis;
            std::array<std::uint8_t, 10> fresh{};
            fill_random(fresh);
            std::memcpy(&tail_, fresh.data(), sizeof tail_);
            std::uint16_t head = 0;
            std::memcpy(&head, fresh.data() + 8, sizeof head);
            head_ = head & 0x7ff;  // the top bit stays free, so that counting up cannot overflow
        } else {
            std::array<std::uint8_t, 4> step{};
            fill_random(step);
            std::uint32_t by = 0;
            std::memcpy(&by, step.data(), sizeof by);
            const std::uint64_t before = tail_;
            tail_ += (static_cast<std::uint64_t>(by) << 16) + 1;
            if (tail_ < before && ++head_ > 0xfff) {
                head_ = 0;
                ++millis_;
            }
        }
        Uuid out;
        for (std::size_t i = 0; i < 6; ++i) {
            out.bytes[i] = static_cast<std::uint8_t>(millis_ >> (40 - 8 * i));
        }
        out.bytes[6] = static_cast<std::uint8_t>(0x70 | (head_ >> 8));
        out.bytes[7] = static_cast<std::uint8_t>(head_);
        const std::uint64_t tail = tail_ >> 2;
        out.bytes[8] = static_cast<std::uint8_t>(0x80 | (tail >> 56));
        for (std::size_t i = 1; i < 8; ++i) {
            out.bytes[8 + i] = static_cast<std::uint8_t>(tail >> (56 - 8 * i));
        }
        return out;
    }

  private:
    std::mutex mutex_;
    std::uint64_t millis_ = 0;
    std::uint64_t tail_ = 0;
    unsigned head_ = 0;
};

}  // namespace

UuidSource& system_uuid_source() {
    static SystemUuidSource source;
    return source;
}

}  // namespace aeterna
