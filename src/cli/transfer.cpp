#include "cli/transfer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "cli/main.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/requests.hpp"
#include "cli/table.hpp"

namespace aeterna::cli {

namespace {

/// Half of what the server takes by default, so that a smaller limit there still has room.
constexpr std::size_t kBatchBytes = 8 * 1024 * 1024;
constexpr std::size_t kBatchLines = 5'000;
constexpr std::size_t kMaxErrors = 100;

class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ > 2) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return number_; }

  private:
    int number_;
};

Error system_error(std::string_view what, std::string_view file, int number) {
    return {Code::kInternal, "file", fmt::format("{} {}: {}", file, what, std::strerror(number))};
}

result<void> write_all(int descriptor, std::string_view text, std::string_view file) {
    while (!text.empty()) {
        const ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail(system_error("cannot be written", file, errno));
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

/// Where an export goes. A file gets its name only when everything is in it and on the disk.
class Target {
  public:
    explicit Target(std::string file) : file_(std::move(file)) {}
    ~Target() {
        if (!temporary_.empty()) ::unlink(temporary_.c_str());
    }
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    [[nodiscard]] result<void> open() {
        if (file_ == "-") {
            descriptor_ = std::make_unique<Descriptor>(1);
            return {};
        }
        std::string name = file_ + ".XXXXXX";
        const int number = ::mkostemp(name.data(), O_CLOEXEC);
        if (number < 0) return fail(system_error("cannot be made", file_, errno));
        temporary_ = std::move(name);
        descriptor_ = std::make_unique<Descriptor>(number);
        return {};
    }
    [[nodiscard]] result<void> write(std::string_view piece) {
        return write_all(descriptor_->get(), piece, file_ == "-" ? "standard output" : file_);
    }
    [[nodiscard]] result<void> finish() {
        if (file_ == "-") return {};
        if (::fsync(descriptor_->get()) != 0 ||
            std::rename(temporary_.c_str(), file_.c_str()) != 0) {
            return fail(system_error("cannot be written", file_, errno));
        }
        temporary_.clear();
        return {};
    }

  private:
    std::string file_;
    std::string temporary_;
    std::unique_ptr<Descriptor> descriptor_;
};

/// What has come of an export. The last line is looked at, for a server that fails in the middle
/// says so there.
struct Received {
    Target& target;
    Progress progress;
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;
    std::string last_line;
    std::optional<Error> failure;

    bool take(std::string_view piece) {
        bytes += piece.size();
        for (std::string_view rest = piece; !rest.empty();) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            // The start is enough to know an error line; lines may have megabytes.
            if (last_line.size() < 64)
                last_line += rest.substr(0, std::min<std::size_t>(end, 4096));
            if (end < rest.size()) {
                ++lines;
                if (is_error_line()) return true;
                last_line.clear();
            }
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        if (is_error_line()) return true;
        const auto done = target.write(piece);
        if (!done) failure = done.error();
        progress.show(fmt::format("exported {} memories, {}", grouped(lines), human_bytes(bytes)));
        return !failure;
    }
    [[nodiscard]] bool is_error_line() const { return last_line.starts_with("{\"error\""); }
};

int run_export(const Invocation& line, const Server& server) {
    Target target(line.one("FILE").value_or("-"));
    if (const auto opened = target.open(); !opened) return report(opened.error());
    auto calls = calls_for(line, {});
    if (!calls) return report(calls.error());
    Received received{target, {}, 0, 0, {}, std::nullopt};
    Client client(server);
    const auto answer = client.stream(std::move(calls->front()),
                                      [&](std::string_view piece) { return received.take(piece); });
    if (received.failure) return report(*received.failure);
    if (!answer) return report(answer.error());
    if (answer->status >= 400 || received.is_error_line()) {
        net::HttpResponse shown = *answer;
        if (shown.status < 400) shown.status = 500;
        if (shown.body.empty()) shown.body = received.last_line;
        return report(error_of(shown));
    }
    if (const auto done = target.finish(); !done) return report(done.error());
    if (line.one("FILE").value_or("-") != "-") {
        print(fmt::format("{} memories, {}, in {}\n", grouped(received.lines),
                          human_bytes(received.bytes), line.text("FILE")));
    }
    return kOk;
}

class Importer {
  public:
    Importer(const Server& server, std::uint64_t size) : client_(server), size_(size) {}

    /// Sends one batch; an Error ends the import.
    [[nodiscard]] result<void> send(LineBatches::Batch batch) {
        Call call;
        call.method = "POST";
        call.target = "/api/v1/import";
        sent_ += batch.text.size();
        call.text = std::move(batch.text);
        const auto answer = client_.call(std::move(call));
        if (!answer) return tl::unexpected(answer.error());
        if (answer->status >= 400) return fail(error_of(*answer));
        const auto body = json::parse_object(answer->body, {256});
        if (!body) return tl::unexpected(body.error());
        totals.add(*body, batch.first_line);
        std::string text = fmt::format("imported {} memories", grouped(totals.imported()));
        if (size_ != 0)
            text += fmt::format(", {} %", std::min<std::uint64_t>(100, 100 * sent_ / size_));
        progress_.show(text);
        return {};
    }

    ImportTotals totals;

  private:
    Client client_;
    Progress progress_;
    std::uint64_t size_;
    std::uint64_t sent_ = 0;
};

int finish_import(const Invocation& line, const ImportTotals& totals,
                  const std::optional<Error>& cut) {
    const json::Object body = totals.report();
    print(line.has("--json") ? json::write(body) + "\n" : render(line, body, style_of(1)));
    if (cut) return report(*cut);
    return totals.failed() == 0 ? kOk : kFailed;
}

int run_import(const Invocation& line, const Server& server) {
    const std::string file = line.text("FILE");
    const int number = file == "-" ? 0 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (number < 0) return report(system_error("cannot be read", file, errno));
    const Descriptor source(number);
    const off_t size = file == "-" ? 0 : ::lseek(number, 0, SEEK_END);
    if (size > 0) ::lseek(number, 0, SEEK_SET);

    LineBatches batches(kBatchBytes, kBatchLines);
    Importer importer(server, static_cast<std::uint64_t>(std::max<off_t>(size, 0)));
    std::vector<char> buffer(1024 * 1024);
    for (;;) {
        const ssize_t count = ::read(source.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            return finish_import(line, importer.totals,
                                 system_error("cannot be read", file, errno));
        std::vector<LineBatches::Batch> full;
        if (count > 0) {
            full = batches.feed({buffer.data(), static_cast<std::size_t>(count)});
        } else {
            full = batches.finish();
        }
        for (auto& batch : full) {
            if (const auto done = importer.send(std::move(batch)); !done)
                return finish_import(line, importer.totals, done.error());
        }
        if (count == 0) break;
    }
    for (const auto& long_line : batches.too_long()) {
        importer.totals.add_failure(long_line.line, "too_large",
                                    fmt::format("longer than {}", human_bytes(kBatchBytes)));
    }
    return finish_import(line, importer.totals, std::nullopt);
}

}  // namespace

void LineBatches::end_line(std::vector<Batch>& full) {
    if (skipping_) {
        too_long_.push_back({number_});
    } else {
        const bool over = batch_.text.size() + line_.size() + 1 > max_bytes_;
        if (batch_.lines != 0 && (over || batch_.lines >= max_lines_)) {
            full.push_back(std::move(batch_));
            batch_ = {};
        }
        if (batch_.lines == 0) batch_.first_line = number_;
        batch_.text += line_;
        batch_.text += '\n';
        ++batch_.lines;
    }
    // The lines of a batch are numbered on from its first one, so a line left out ends it.
    if (skipping_ && batch_.lines != 0) {
        full.push_back(std::move(batch_));
        batch_ = {};
    }
    line_.clear();
    skipping_ = false;
    ++number_;
}

std::vector<LineBatches::Batch> LineBatches::feed(std::string_view piece) {
    std::vector<Batch> full;
    while (!piece.empty()) {
        const std::size_t end = std::min(piece.find('\n'), piece.size());
        if (!skipping_) line_ += piece.substr(0, end);
        if (line_.size() + 1 > max_bytes_) {
            skipping_ = true;
            line_.clear();
        }
        if (end < piece.size()) end_line(full);
        piece.remove_prefix(std::min(end + 1, piece.size()));
    }
    return full;
}

std::vector<LineBatches::Batch> LineBatches::finish() {
    std::vector<Batch> full;
    if (!line_.empty() || skipping_) end_line(full);
    if (batch_.lines != 0) full.push_back(std::move(batch_));
    batch_ = {};
    return full;
}

void ImportTotals::add(const json::Object& report, std::size_t first_line) {
    const auto number = [&](std::string_view name) -> std::uint64_t {
        const json::Value* value = report.if_contains(name);
        boost::system::error_code wrong;
        const auto out = value != nullptr && value->is_number()
                             ? value->to_number<std::uint64_t>(wrong)
                             : std::uint64_t{0};
        return wrong ? 0 : out;
    };
    imported_ += number("imported");
    skipped_ += number("skipped");
    failed_ += number("failed");
    const json::Value* errors = report.if_contains("errors");
    if (errors == nullptr || !errors->is_array()) return;
    for (const json::Value& value : errors->get_array()) {
        if (!value.is_object() || errors_.size() >= kMaxErrors) continue;
        json::Object problem = value.get_object();
        if (json::Value* line = problem.if_contains("line"); line != nullptr && line->is_number()) {
            boost::system::error_code wrong;
            *line = line->to_number<std::uint64_t>(wrong) + first_line - 1;
        }
        errors_.push_back(std::move(problem));
    }
}

void ImportTotals::add_failure(std::size_t line, std::string_view machine_code,
                               std::string message) {
    ++failed_;
    if (errors_.size() < kMaxErrors)
        errors_.push_back(
            json::Object{{"line", line}, {"error", machine_code}, {"message", message}});
}

json::Object ImportTotals::report() const {
    return {
        {"imported", imported_}, {"skipped", skipped_}, {"failed", failed_}, {"errors", errors_}};
}

int run_transfer(const Invocation& line, const Server& server) {
    return line.command == "export" ? run_export(line, server) : run_import(line, server);
}

}  // namespace aeterna::cli
