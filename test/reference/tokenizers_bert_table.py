"""The character classes of BERT's normalizer as the `tokenizers` library that transformers 4.34 uses has them (they are those of an old Unicode version).

    python test/reference/tokenizers_bert_table.py        writes src/processor/bert-characters.ts
"""
from pathlib import Path

import tokenizers
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

OUT = Path(__file__).parent.parent.parent / "src" / "processor" / "bert-characters.ts"
HEAD = """// Made by test/reference/tokenizers_bert_table.py from tokenizers {version}: do not edit.

/**
 * Sets of code points. Each item is a range in base 36, `gap` or `gap.length`: code points skipped since the last range, and how many are in this one. Node's own
 * character classes cannot serve: they know more characters with every Unicode version, and HF's stand still.
 */
export const BERT_CHARACTERS = {{
{sets}}} as const;
"""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(value):
    return (base36(value // 36) if value >= 36 else "") + DIGITS[value % 36]


def encode(members):
    items, end, i = [], 0, 0
    while i < len(members):
        start = j = i
        while j + 1 < len(members) and members[j + 1] == members[j] + 1:
            j += 1
        count = j - start + 1
        items.append(base36(members[start] - end) + ("" if count == 1 else "." + base36(count)))
        end, i = members[j] + 1, j + 1
    return items


def normalizer(**options):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return BertNormalizer(**(off | options)).normalize_str


def sets():
    clean, chinese = normalizer(clean_text=True), normalizer(handle_chinese_chars=True)
    strip, change = normalizer(strip_accents=True), normalizer(strip_accents=True, lowercase=True)
    split = lambda text: len(BertPreTokenizer().pre_tokenize_str(text)) == 3
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    of = lambda belongs: [point for point in points if belongs(chr(point))]
    yield "removed", "Control, format, private: `clean_text` drops them.", of(lambda c: clean(f"a{c}b") == "ab")
    yield "cjk", "Ideographs: each is a word of its own.", of(lambda c: chinese(c) == f" {c} ")
    yield "marks", "Combining marks that `strip_accents` drops.", of(lambda c: strip(f"a{c}b") == "ab")
    yield "mapped", "What decomposition or lower case changes.", of(lambda c: change(f"{c}b") not in (f"{c}b", "b"))
    yield "punctuation", "Each is a word of its own.", of(lambda c: split(f"a{c}b"))


def lines(items, width=110):
    line = ""
    for item in items:
        if len(line) + len(item) + 1 > width:
            yield line
            line = ""
        line += item + " "
    yield line.rstrip()


def main():
    text = ""
    for name, meaning, members in sets():
        rows = " +\n".join(f"    '{line}'" for line in lines(encode(members)))
        text += f"  /** {meaning} */\n  {name}:\n{rows},\n"
        print(name, len(members), len(encode(members)))
    OUT.write_text(HEAD.format(version=tokenizers.__version__, sets=text))


if __name__ == "__main__":
    main()
