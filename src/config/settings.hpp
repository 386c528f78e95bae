#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace aeterna::config {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };
/// kAuto: text on a terminal, JSON elsewhere.
enum class LogFormat : std::uint8_t { kAuto, kJson, kText };
/// kAuto: no token is asked of a direct peer on loopback (contract §2).
enum class AuthRequired : std::uint8_t { kAuto, kAlways };
enum class EmbeddingProvider : std::uint8_t { kStatic, kOpenai };

/// What the program runs with, already checked: every number is within its bounds, every listen
/// address has the form host:port. Made by config::load; the defaults here are the documented ones
/// (a test compares them with the table).
struct Settings {
    struct Server {
        std::string listen = "127.0.0.1:8080";
        std::string ops_listen = "127.0.0.1:9090";
        std::size_t loops = 0;  ///< event loops; 0: one per core
        std::chrono::milliseconds drain_timeout{30'000};
    } server;

    struct Data {
        std::filesystem::path dir;  ///< absolute after load
    } data;

    /// Of memory, knowledge, governance, sync; empty: all of them.
    std::vector<std::string> roles;

    struct Log {
        LogLevel level = LogLevel::kInfo;
        LogFormat format = LogFormat::kAuto;
    } log;

    struct Limits {
        std::size_t content_bytes = 64 * 1024;
        std::size_t query_bytes = 8 * 1024;
        std::size_t body_bytes = 1024 * 1024;
        std::size_t batch_body_bytes = 16 * 1024 * 1024;
        std::size_t json_depth = 32;
        std::size_t identifier_characters = 100;
        std::size_t metadata_bytes = 16 * 1024;
    } limits;

    struct Deadlines {
        std::chrono::milliseconds read{10'000};
        std::chrono::milliseconds write{30'000};
    } deadlines;

    struct Embedding {
        EmbeddingProvider provider = EmbeddingProvider::kStatic;
        std::string url;             ///< with kOpenai: the base, such as https://api.example.com/v1
        std::string model;           ///< with kOpenai
        std::string api_key;         ///< secret; never printed or logged
        std::size_t dimensions = 0;  ///< with kOpenai; 0: what the endpoint answers
    } embedding;

    struct Auth {
        AuthRequired required = AuthRequired::kAuto;
    } auth;

    struct Http {
        std::vector<std::string> allowed_origins;  ///< beyond those of loopback
        std::vector<std::string> allowed_hosts;    ///< beyond the names of loopback, without ports
    } http;

    struct Memory {
        std::chrono::seconds purge_after{30 * 24 * 3600};  ///< deleted memories are kept this long
    } memory;

    struct Idempotency {
        std::chrono::seconds keep{24 * 3600};
    } idempotency;
};

}  // namespace aeterna::config
