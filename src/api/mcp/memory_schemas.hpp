#pragma once
#include <string_view>

#include "json/codec.hpp"

/// What a model reads about the memory tools: names, texts, JSON Schemas (2020-12).
namespace aeterna::mcp {

struct ToolText {
    std::string_view name, title, description;
    json::Object input_schema, output_schema, annotations;
};

/// `name` is one of the memory tools.
[[nodiscard]] ToolText text_of_tool(std::string_view name);

}  // namespace aeterna::mcp
