#!/usr/bin/env python3
"""Writes src/embedding/wordpiece_examples.hpp: our own texts and what the reference tokenizer makes of them.

    VENV/bin/python examples.py MODEL_DIR
"""

import pathlib
import sys

from tokenizers import Tokenizer

OUT = pathlib.Path(__file__).resolve().parents[2] / "src/embedding/wordpiece_examples.hpp"

TEXTS = [
    "",
    " \t\r\n ",
    "The deployment moved to the second region on Tuesday.",
    "The user prefers dark mode and four spaces.",
    "Don't restart PostgreSQL before the backup's done!",
    "HELLO World hELLO",
    "unaffable electroencephalography antidisestablishmentarianism",
    "C++20, C#, F# and .NET; node.js? v1.2.3-rc4",
    "git rebase --interactive HEAD~3",
    "src/embedding/wordpiece.cpp:42: error",
    "https://example.org/a/b?c=d&e=f#g",
    "someone@example.org owns key_id=7f3a9c",
    "snake_case camelCase kebab-case SCREAMING_CASE",
    "2026-11-23T20:41:00.000001Z",
    "$1,234.56 + 7% = a lot",
    "Café crème brûlée, naïve façade, Ångström, Zürich",
    "cafe\u0301 with a combining accent",
    "ÀÉÎÕÜ àéîõü",
    "İstanbul and ıssız",
    "ΑΘΗΝΑ Σίσυφος",
    "Москва и Санкт-Петербург",
    "Ёлка й",
    "東京は日本の首都です",
    "我喜欢memory平台2号",
    "한국어 텍스트",
    "ひらがなカタカナ ガギグ",
    "שלום עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "great\U0001f389 party \U0001f389",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "zero\u200bwidth soft\u00adhyphen",
    "no\u00a0break em\u2003space ideographic\u3000space",
    "line\u2028paragraph\u2029end",
    "tab\tvertical\x0bform\x0cbell\x07null",
    "next\u0085line",
    "replacement\ufffdcharacter bom\ufeff",
    "“quotes” ‘single’ «guillemets» — dash – en… ellipsis",
    "¿qué? ¡sí! § 4 ¶ † ‡ • ‰",
    "x² + y² ≈ z², ½ of ∑ ∞ ≤ 3 µm",
    "ﬁne ﬂow Ⅳ ① ™ © ®",
    "fullwidth ＡＢＣ！ ａｂｃ １２３",
    "Straße GROẞ ß",
    "ǅ ǆ Ǆ ŉ ǰ",
    "Việt Nam, Tiếng Việt, Đà Nẵng",
    "Łódź Þór ðæø œuvre",
    "`code` ^caret~ {brace} [bracket] <angle> |pipe| \\back",
    "[CLS] [SEP] [UNK] [MASK] [PAD] [unused0]",
    "## ##ing #hash",
    "a" * 100,
    "a" * 101,
    "word " + "x" * 300 + " word",
    "é" * 100 + " " + "é" * 101,
    "12345678901234567890 0x1F 1e-9 3.14",
    "o'clock rock'n'roll y'all'd've",
    "豈 更 \uf900 \U0002f800 \U00020000",
    "\u037e greek question \u1fef varia \u2000quad",
    "a\u0300\u0301\u0302\u0303b",
    "Ǻ ǡ ṩ ḍ̇",
    "i̇̀ J̌ ﬀi",
]


def quoted(text):
    return '"' + "".join(f"\\{byte:03o}" if byte < 32 or byte > 126 or chr(byte) in '"\\?'
                         else chr(byte) for byte in text.encode()) + '"'


def main():
    tokenizer = Tokenizer.from_file(str(pathlib.Path(sys.argv[1]) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    lines = ["#pragma once",
             "// Written by tools/distill/examples.py with the reference tokenizer; do not edit.",
             "#include <cstdint>", "#include <string_view>", "#include <vector>", "",
             "namespace aeterna::embedding {", "", "struct WordPieceExample {",
             "    std::string_view text;", "    std::vector<std::uint16_t> tokens;", "};", "",
             "// clang-format off", "inline const std::vector<WordPieceExample> kWordPieceExamples = {"]
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        lines.append(f"    {{{{{quoted(text)}, {len(text.encode())}}}, "
                     f"{{{', '.join(map(str, ids))}}}}},")
    lines += ["};", "// clang-format on", "", "}  // namespace aeterna::embedding", ""]
    OUT.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
