#include "cli/remote.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <pwd.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/main.hpp"
#include "cli/offline_keys.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/requests.hpp"
#include "cli/table.hpp"
#include "cli/transfer.hpp"
#include "cli/width.hpp"
#include "config/value.hpp"

namespace aeterna::cli {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{30'000};
constexpr milliseconds kLongTimeout{600'000};
constexpr std::size_t kMaxStandardInput = 16 * 1024 * 1024;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string login_name() {
    if (std::string user = variable("AETERNA_USER"); !user.empty()) return user;
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr && found->pw_name != nullptr && *found->pw_name != '\0') {
        return found->pw_name;
    }
    return fmt::format("uid-{}", ::geteuid());
}

/// The answer's body as it is for --json, else as text. The exit status.
int show(const Invocation& line, const net::HttpResponse& response) {
    if (response.status >= 400) {
        const Error error = error_of(response);
        if (!line.has("--json")) return report(error);
        note(response.body);
        return exit_code_of(error);
    }
    if (const auto missing = response.headers.find("X-Aeterna-Degraded"))
        note(fmt::format("note: the server answered without its {}", printable(*missing)));
    if (line.has("--json")) {
        if (!response.body.empty()) print(response.body + "\n");
    } else {
        auto body = json::parse(response.body.empty() ? "null" : response.body, {256});
        if (!body) {
            return report(
                Error(Code::kInternal,
                      fmt::format("the server's answer cannot be read: {}", body.error().message)));
        }
        print(render(line, *body, style_of(1)));
    }
    return kOk;
}

/// True when a JSON answer has `name` with exactly this value.
bool says(const net::HttpResponse& response, std::string_view name, const json::Value& value) {
    const auto body = json::parse_object(response.body, {256});
    const json::Value* found = body ? body->if_contains(name) : nullptr;
    return found != nullptr && *found == value;
}

result<net::HttpResponse> call_all(Client& client, std::vector<Call> calls) {
    result<net::HttpResponse> answer;
    for (Call& call : calls) {
        answer = client.call(std::move(call));
        if (!answer || answer->status >= 400) break;
    }
    return answer;
}

/// Every page of a list as one answer.
result<net::HttpResponse> list_all(Client& client, Call call) {
    json::Array items;
    Progress progress;
    for (;;) {
        auto page = client.call(call);
        if (!page || page->status >= 400) return page;
        auto body = json::parse_object(page->body, {256});
        if (!body) return page;
        json::Value* found = body->if_contains("items");
        if (found != nullptr && found->is_array()) {
            for (auto& item : found->get_array()) items.push_back(std::move(item));
        }
        progress.show(fmt::format("{} memories", grouped(items.size())));
        const json::Value* next = body->if_contains("nextCursor");
        if (next == nullptr || !next->is_string()) {
            page->body =
                json::write(json::Object{{"items", std::move(items)}, {"nextCursor", nullptr}});
            return page;
        }
        call.body.as_object()["cursor"] = *next;
    }
}

/// Asks for the status until the index is not being rebuilt any more.
result<net::HttpResponse> wait_for_index(Client& client, net::HttpResponse answer,
                                         Deadline deadline) {
    Progress progress;
    Call call;
    call.target = "/api/v1/status";
    for (milliseconds pause{50}; says(answer, "state", "rebuilding");
         pause = std::min(pause * 2, milliseconds(1000))) {
        if (deadline.passed()) {
            return fail(
                Code::kDeadlineExceeded,
                "the rebuild goes on, but took longer than --timeout; see `aeterna status`");
        }
        std::this_thread::sleep_for(pause);
        auto status = client.call(call);
        if (!status || status->status >= 400) return status;
        const auto body = json::parse_object(status->body, {256});
        const json::Value* index = body ? body->if_contains("index") : nullptr;
        if (index == nullptr || !index->is_object()) break;
        const json::Value* share = index->get_object().if_contains("progress");
        if (share != nullptr && share->is_number())
            progress.show(
                fmt::format("rebuilding the index: {:.0f} %", 100 * share->to_number<double>()));
        answer.body = json::write(*index);
    }
    return answer;
}

/// Until a server answers, or `wait` is over.
result<net::HttpResponse> wait_for_server(Client& client, const Call& call, Deadline deadline) {
    for (;;) {
        auto answer = client.call(call);
        const bool away = !answer || answer->status == 503;
        if (!away || deadline.passed()) return answer;
        std::this_thread::sleep_for(std::min(milliseconds(100), deadline.left()));
    }
}

/// "-" for a text means standard input.
result<Invocation> with_standard_input(Invocation line) {
    for (const char* name : {"TEXT", "QUERY"}) {
        if (line.one(name) != "-") continue;
        auto text = read_standard_input();
        if (!text) return tl::unexpected(std::move(text).error());
        line.given[name] = {std::move(*text)};
    }
    return line;
}

result<net::HttpResponse> talk(Client& client, const Invocation& line, std::vector<Call> calls,
                               milliseconds timeout) {
    if (line.command == "memory list" && line.has("--all"))
        return list_all(client, std::move(calls.front()));
    if (const auto wait = line.one("--wait")) {
        const auto span = config::parse_duration(*wait);
        if (!span) return fail(Code::kMalformed, "usage", "--wait: " + span.error().message);
        return wait_for_server(client, calls.front(), Deadline::after(*span));
    }
    const auto deadline = Deadline::after(timeout);
    auto answer = call_all(client, std::move(calls));
    if (answer && answer->status < 400 && line.command == "index rebuild" && !line.has("--no-wait"))
        return wait_for_index(client, std::move(*answer), deadline);
    return answer;
}

}  // namespace

result<Server> server_of(const Invocation& line, milliseconds timeout) {
    Server out;
    std::string url = line.one("--url").value_or(variable("AETERNA_URL"));
    if (url.empty()) url = "http://127.0.0.1:8080";
    auto parsed = net::Url::parse(url);
    if (!parsed) {
        return fail(Code::kMalformed, "usage",
                    fmt::format("the server's URL \"{}\" cannot be used (--url, AETERNA_URL): {}",
                                cut_utf8(url, 100), parsed.error().message));
    }
    out.url = std::move(*parsed);
    out.token = variable("AETERNA_TOKEN");
    out.timeout = timeout;
    const std::string given = line.one("--timeout").value_or(variable("AETERNA_TIMEOUT"));
    if (!given.empty()) {
        const auto span = config::parse_duration(given);
        if (!span || span->count() == 0) {
            return fail(Code::kMalformed, "usage",
                        "--timeout (AETERNA_TIMEOUT) must be a duration such as 500ms, 30s or 10m");
        }
        out.timeout = *span;
    }
    return out;
}

result<std::string> read_standard_input() {
    std::string out;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t count = ::read(0, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(Code::kInternal, "standard input cannot be read");
        if (count == 0) return out;
        out.append(buffer.data(), static_cast<std::size_t>(count));
        if (out.size() > kMaxStandardInput)
            return fail(Code::kTooLarge, "standard input holds more than 16 MiB");
    }
}

int run_remote(const Invocation& given) {
    if (wants_offline_keys(given)) return run_offline_keys(given);
    const bool transfer = given.command == "export" || given.command == "import";
    const bool slow = transfer || given.command.starts_with("index ");
    auto server = server_of(given, slow ? kLongTimeout : kDefaultTimeout);
    if (!server) return report(server.error());
    if (given.has("--wait") && !given.has("--timeout")) server->timeout = milliseconds(2'000);
    if (transfer) return run_transfer(given, *server);

    const auto line = with_standard_input(given);
    if (!line) return report(line.error());
    auto calls = calls_for(*line, {login_name(), SystemClock().now()});
    if (!calls) return report(calls.error());
    const milliseconds timeout = server->timeout;
    Client client(std::move(*server));
    Progress progress;
    client.on_wait([&progress](std::string_view text) { progress.show(text); });
    const auto answer = talk(client, *line, std::move(*calls), timeout);
    if (!answer) {
        const int code = report(answer.error());
        if (answer.error().reason == "no_server" && line->command.starts_with("key "))
            note("--data-dir DIR works on a data folder without a server");
        return code;
    }
    const int code = show(*line, *answer);
    const bool differs = line->command == "index verify" && says(*answer, "equal", false);
    return code == kOk && differs ? static_cast<int>(kFailed) : code;
}

}  // namespace aeterna::cli
