"""Letters, numbers and white space as the regular expression of the `tokenizers` library's ByteLevel pre-tokenizer knows them (GPT-2, OPT).

    python test/reference/tokenizers_byte_level_table.py        writes src/processor/byte-level-characters.ts
"""
from pathlib import Path

import tokenizers
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers_bert_table import encode, lines

OUT = Path(__file__).parent.parent.parent / "src" / "processor" / "byte-level-characters.ts"
HEAD = """// Made by test/reference/tokenizers_byte_level_table.py from tokenizers {version}: do not edit.

/** Sets of code points, written as in bert-characters.ts and for the same reason: Node's character classes grow, HF's (Unicode 14) stand still. */
export const BYTE_LEVEL_CHARACTERS = {{
{sets}}} as const;
"""


def sets():
    split = ByteLevel(add_prefix_space=False).pre_tokenize_str
    kinds = {"letters": [], "numbers": [], "others": [], "spaces": []}
    for point in range(0x110000):
        if not 0xD800 <= point < 0xE000:
            joins = (kind for kind, first in (("letters", "a"), ("numbers", "1"), ("others", "!")) if len(split(first + chr(point))) == 1)
            kinds[next(joins, "spaces")].append(point)
    yield "letters", r"`\p{L}`", kinds["letters"]
    yield "numbers", r"`\p{N}`", kinds["numbers"]
    yield "spaces", r"`\s`", kinds["spaces"]


def main():
    text = ""
    for name, meaning, members in sets():
        items = encode(members)
        rows = " +\n".join(f"    '{line}'" for line in lines(items))
        text += f"  /** {meaning} */\n  {name}:\n{rows},\n"
        print(name, len(members), len(items))
    OUT.write_text(HEAD.format(version=tokenizers.__version__, sets=text))


if __name__ == "__main__":
    main()
