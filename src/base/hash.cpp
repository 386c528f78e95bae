#include "base/hash.hpp"

#include <cerrno>
#include <cstring>
#include <sys/random.h>
#include <system_error>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/text.hpp"

namespace aeterna {

Sha256 sha256(std::string_view bytes) {
    Sha256 out{};
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out.data());
    return out;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        out.push_back(kHex[byte >> 4]);
        out.push_back(kHex[byte & 15]);
    }
    return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void fill_random(std::span<std::uint8_t> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = getrandom(out.data() + done, out.size() - done, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
        done += static_cast<std::size_t>(got);
    }
}

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed) noexcept {
    std::uint64_t h = 0xcbf29ce484222325ULL ^ (seed * 0x9e3779b97f4a7c15ULL);
    for (const char c : bytes) {
        h ^= static_cast<std::uint8_t>(c);
        h *= 0x100000001b3ULL;
    }
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ULL;
    h ^= h >> 32;
    return h;
}

namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = (c & 1U) != 0 ? 0x82f63b78U ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    return table;
}

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] std::uint32_t crc_by_instruction(std::span<const std::uint8_t> bytes,
                                                           std::uint32_t crc) noexcept {
    std::uint64_t wide = crc;
    while (bytes.size() >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
        bytes = bytes.subspan(8);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (const std::uint8_t byte : bytes) crc = __builtin_ia32_crc32qi(crc, byte);
    return crc;
}
#endif

std::string encode_base64(std::string_view bytes, std::string_view alphabet, bool padded) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t j = 0; j < 3; ++j) {
            group = group << 8 | (j < have ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            if (j <= have) {
                out.push_back(alphabet[(group >> (18 - 6 * j)) & 63]);
            } else if (padded) {
                out.push_back('=');
            }
        }
    }
    return out;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::uint32_t crc32c(std::span<const std::uint8_t> bytes, std::uint32_t seed) noexcept {
#if defined(__x86_64__)
    // Index snapshots have tens of megabytes and are read at every start.
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return ~crc_by_instruction(bytes, ~seed);
#endif
    static constexpr auto kTable = make_crc_table();
    std::uint32_t crc = ~seed;
    for (const std::uint8_t byte : bytes) crc = kTable[(crc ^ byte) & 255U] ^ (crc >> 8);
    return ~crc;
}

std::string base64_encode(std::string_view bytes) {
    return encode_base64(bytes, kBase64, true);
}
std::string base64url_encode(std::string_view bytes) {
    return encode_base64(bytes, kBase64Url, false);
}

std::optional<std::string> base64url_decode(std::string_view text) {
    std::string out;
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const auto at = kBase64Url.find(c);
        if (at == std::string_view::npos) return std::nullopt;
        group = group << 6 | static_cast<std::uint32_t>(at);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<char>(static_cast<std::uint8_t>(group >> bits)));
        }
    }
    if (bits >= 6 || (group & ((1U << bits) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace aeterna
