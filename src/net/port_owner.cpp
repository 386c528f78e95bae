#include "net/port_owner.hpp"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

namespace aeterna::net {
namespace {

namespace fs = std::filesystem;
using asio::ip::address;

/// "0100007F" or 32 digits: words in the machine's byte order, as the kernel prints them.
std::optional<address> parse_hex_address(std::string_view hex) {
    if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
    std::array<unsigned char, 16> bytes{};
    for (std::size_t word = 0; word < hex.size() / 8; ++word) {
        std::uint32_t value = 0;
        const char* const at = hex.data() + word * 8;
        if (std::from_chars(at, at + 8, value, 16).ptr != at + 8) return std::nullopt;
        std::memcpy(bytes.data() + word * 4, &value, sizeof value);
    }
    if (hex.size() == 32) return asio::ip::address_v6(bytes);
    return asio::ip::address_v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

bool overlaps(const address& listening, const address& wanted) {
    return listening == wanted || listening.is_unspecified() || wanted.is_unspecified();
}

/// Inodes of the sockets that listen on the port where they are in the way.
std::vector<std::string> listening_inodes(const char* table, const address& wanted,
                                          std::uint16_t port) {
    std::vector<std::string> out;
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // headings
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
        fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
            timeout >> inode;
        const std::size_t colon = local.find(':');
        if (state != "0A" || colon == std::string::npos) continue;  // 0A: TCP_LISTEN
        unsigned found = 0;
        const char* const end = local.data() + local.size();
        if (std::from_chars(local.data() + colon + 1, end, found, 16).ptr != end) continue;
        const auto at = parse_hex_address(std::string_view(local).substr(0, colon));
        if (found == port && at && overlaps(*at, wanted)) out.push_back(inode);
    }
    return out;
}

bool holds(const fs::path& process, const std::string& link_text) {
    std::error_code error;
    for (fs::directory_iterator at(process / "fd", error), end; !error && at != end;
         at.increment(error)) {
        std::error_code unreadable;
        if (fs::read_symlink(at->path(), unreadable) == link_text) return true;
    }
    return false;
}

}  // namespace

std::string port_owner(const Endpoint& wanted) {
    boost::system::error_code bad;
    const address parsed = asio::ip::make_address(wanted.address, bad);
    if (bad) return {};
    std::vector<std::string> inodes = listening_inodes("/proc/net/tcp", parsed, wanted.port);
    for (auto& inode : listening_inodes("/proc/net/tcp6", parsed, wanted.port)) {
        inodes.push_back(std::move(inode));
    }
    for (const std::string& inode : inodes) {
        const std::string link_text = fmt::format("socket:[{}]", inode);
        std::error_code error;
        for (fs::directory_iterator at("/proc", error), end; !error && at != end;
             at.increment(error)) {
            const std::string pid = at->path().filename();
            if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
            if (!holds(at->path(), link_text)) continue;
            std::string name;
            std::ifstream comm(at->path() / "comm");
            std::getline(comm, name);
            for (char& c : name) {
                if (c < ' ' || c >= 0x7f) c = '?';
            }
            return fmt::format("{} (pid {})", name.empty() ? "a process" : name, pid);
        }
    }
    return {};
}

}  // namespace aeterna::net
