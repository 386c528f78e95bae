#include "config/yaml.hpp"

#include <map>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/text.hpp"

namespace aeterna::config {

namespace {

/// Leaves yaml-cpp from the middle of a document.
struct Refused {
    Error error;
};

class Flattener final : public YAML::EventHandler {
  public:
    explicit Flattener(std::string_view file) : file_(file) {}

    std::vector<YamlEntry> take() { return std::move(entries_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1) refuse(mark, "only one document is allowed in a settings file");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check_anchor(mark, anchor);
        if (frames_.empty()) return;  // an empty file says nothing, which is fine
        if (expects_key()) refuse(mark, "a name is missing before the colon");
        refuse(mark, fmt::format("{} has no value; leave the line out or write one", path()));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        refuse(mark, "aliases (*name) are not allowed in a settings file");
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        check_anchor(mark, anchor);
        check_tag(mark, tag);
        if (frames_.empty())
            refuse(mark, "a settings file holds names and values: \"name: value\"");
        Frame& frame = frames_.back();
        if (frame.sequence) {
            count(mark);
            entries_.back().value.texts.push_back(value);
            return;
        }
        if (!frame.key) {
            if (value.empty() || value.size() > 100) refuse(mark, "this is no name of a setting");
            frame.key = value;
            frame.key_line = mark.line + 1;
            return;
        }
        add(mark, {{value}, false});
        frame.key.reset();
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        check_anchor(mark, anchor);
        check_tag(mark, tag);
        if (frames_.empty()) refuse(mark, "a settings file holds names and values, not a list");
        if (frames_.back().sequence) refuse(mark, "a list in a list is not allowed");
        if (expects_key()) refuse(mark, "a list cannot be a name");
        add(mark, {{}, true});
        push(mark, true);
    }
    void OnSequenceEnd() override { pop(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        check_anchor(mark, anchor);
        check_tag(mark, tag);
        if (!frames_.empty() && frames_.back().sequence)
            refuse(mark, "a list holds plain values only");
        if (!frames_.empty() && expects_key()) refuse(mark, "a map cannot be a name");
        push(mark, false);
    }
    void OnMapEnd() override { pop(); }

  private:
    struct Frame {
        bool sequence = false;
        std::optional<std::string> key;
        int key_line = 0;
    };

    [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& why,
                             Code code = Code::kMalformed) const {
        throw Refused{Error(code, fmt::format("{}:{}: {}", file_, mark.line + 1, why))};
    }
    void check_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
        if (anchor != YAML::NullAnchor)
            refuse(mark, "anchors (&name) are not allowed in a settings file");
    }
    void check_tag(const YAML::Mark& mark, const std::string& tag) const {
        if (!tag.empty() && tag != "?" && tag != "!")
            refuse(mark, "tags (!name) are not allowed in a settings file");
    }
    void count(const YAML::Mark& mark) {
        if (++values_ > kMaxYamlValues)
            refuse(mark, fmt::format("more than {} values", kMaxYamlValues), Code::kTooLarge);
    }
    [[nodiscard]] bool expects_key() const {
        return !frames_.back().sequence && !frames_.back().key;
    }
    [[nodiscard]] std::string path() const {
        std::string out;
        for (const Frame& frame : frames_) {
            if (frame.key) out += (out.empty() ? "" : ".") + *frame.key;
        }
        return out;
    }
    void add(const YAML::Mark& mark, Given value) {
        count(mark);
        YamlEntry entry{path(), std::move(value), frames_.back().key_line};
        const auto [first, fresh] = lines_.emplace(entry.name, entry.line);
        if (!fresh) {
            refuse(YAML::Mark(mark),
                   fmt::format("{} was already given on line {}", entry.name, first->second));
        }
        entries_.push_back(std::move(entry));
    }
    void push(const YAML::Mark& mark, bool sequence) {
        if (frames_.size() >= kMaxYamlDepth)
            refuse(mark, fmt::format("nested deeper than {} levels", kMaxYamlDepth),
                   Code::kTooLarge);
        frames_.push_back({sequence, std::nullopt, 0});
    }
    void pop() {
        frames_.pop_back();
        if (!frames_.empty()) frames_.back().key.reset();
    }

    std::string_view file_;
    std::vector<Frame> frames_;
    std::vector<YamlEntry> entries_;
    std::map<std::string, int> lines_;
    std::size_t values_ = 0;
    int documents_ = 0;
};

}  // namespace

result<std::vector<YamlEntry>> read_yaml(std::string_view text, std::string_view file) {
    if (text.size() > kMaxYamlBytes) {
        return fail(Code::kTooLarge,
                    fmt::format("{}: longer than {} KiB", file, kMaxYamlBytes / 1024));
    }
    if (!is_valid_utf8(text) || text.find('\0') != std::string_view::npos) {
        return fail(Code::kMalformed, fmt::format("{}: is not UTF-8 text", file));
    }
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        Flattener flattener(file);
        while (parser.HandleNextDocument(flattener)) {
        }
        return flattener.take();
    } catch (Refused& refused) {
        return fail(std::move(refused.error));
    } catch (const YAML::Exception& error) {
        return fail(Code::kMalformed,
                    fmt::format("{}:{}: is not YAML: {}", file, error.mark.line + 1, error.msg));
    }
}

}  // namespace aeterna::config
