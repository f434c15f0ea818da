"""Pieces that the test strings of tokenizers_hf.py are put together from."""
import random
import unicodedata

SENTENCES = """What is unusual about this image?|Describe the picture in detail.|Question: How many people are there? Short answer:|a photo of|Is it 3.14159 or 2,718?
L'été, à Besançon, un garçon naïf mange des crêpes|Größe und Maß: süße Öl-Äpfel|El niño comió piña mañana|Příliš žluťoučký kůň úpěl ďábelské ódy|Đặng Thị Hoa nói tiếng Việt
Ὀδυσσεὺς καὶ ΣΊΣΥΦΟΣ ΟΔΟΣ|Что необычного на этой картинке?|Ёжик Їжак Ўзбек|ما هو الغريب في هذه الصورة؟|مَرْحَبًا ٱلْعَالَم|מה מוזר בתמונה הזאת|שָׁלוֹם
इस चित्र में क्या असामान्य है?|এই ছবিতে কী আছে|இந்த படத்தில் என்ன|ఈ చిత్రంలో|ഈ ചിത്രത്തിൽ|ภาพนี้มีอะไรผิดปกติ|这张图片有什么不寻常的地方？|這張圖片|この画像の何が変ですか。カタカナ ﾊﾝｶｸ|이 이미지에서 특이한 점은
საქართველო ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ|Հայաստան|አማርኛ ቋንቋ|ᏣᎳᎩ ꭰꭱ|ខ្មែរ|မြန်မာ|བོད་ཡིག|ᠮᠣᠩᠭᠣᠯ|𝓗𝓮𝓵𝓵𝓸 𝔘𝔫𝔦 ℌ𝕠𝟛|Ｆｕｌｌｗｉｄｔｈ！|ﬁ ﬂ ﬆ ǆ Ǆ ŉ ẞ ß İ ı ſ K Å Ω|①②③ ½ ² ³ ₄ Ⅷ ⅷ|H₂O E=mc²
def f(x):\n\treturn {x: [1, 2]}|<div class="a">&amp;</div>|https://example.org/a?b=c&d=%20#e|user@host.example|C:\\Users\\x|$100 €50 £7 ¥9 ₹3 ₿1|don't can't I'm we've|e.g., i.e. -- --- … – — “quotes” ‘single’ «guillemets»|**bold** _it_ `code` ~~no~~|a/b\\c|^_^ :-) ¯\\_(ツ)_/¯"""
SPECIAL = ["<s>", "</s>", "<unk>", "[PAD]", "<image>", "<0x0A>", "<0x41>", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[DEC]", "[dec]", "[sep]", "[unused0]", "<S>",
           "</s", "s>", "[SE", "P]", "##ing", "▁", "▁the", "[ SEP ]", "<|endoftext|>", "###"]
SPACES = [" ", "  ", "   ", " " * 8, " " * 17, "\t", "\t\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\u00a0", "\u2003", "\u3000", "\u2028", "\u2029", "\u1680", "\u0085", " \n \t ", "\u202f", "\u200a"]
CONTROL = ["\0", "\x01", "\x07", "\x1b[0m", "\x7f", "\x9f", "\u200b", "\u200c", "\u200d", "\u200e", "\u2060", "\ufeff", "\ufffd", "\u00ad", "\u061c", "\ue000", "\uf8ff", "\ufff9", "\U000e0001",
           "\U000e0041", "\U0010ffff", "\uffff", "\ufdd0", "\u0378", "\U0001faff", "\u180e"]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "👍🏽", "🇫🇷", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "☺", "🤖🎉", "1️⃣", "🧑🏿‍🚀", "✨", "🫠", "🪿"]
COMBINING = ["e\u0301", "a\u0300\u0323", "o\u0302\u0301", "Z\u0351\u036b\u0343a\u0335l\u0338g\u0321o\u0328", "\u0301", "\u0301x", "क\u093c", "\u1100\u1161\u11a8", "각", "が", "か\u3099", "\u05e9\u05c1", "\u0e01\u0e49", "q\u0307\u0323",
             "\u1ea0", "I\u0307", "i\u0307", "\U0001d15e", "\u212b", "\u0344", "\U0002f800", "\uf900", "\U00020000", "\U0002a6d6x", "x㐀y", "龥", "\u3007", "\u2f00", "〆", "々"]
LONG = ["a" * 100, "a" * 101, "b" * 300, "supercalifragilistic" * 6, "é" * 100, "é" * 101, "字" * 60, "😀" * 40, "!" * 40, "=" * 64, "0123456789" * 12, "ab" * 50 + "c", "A" * 99 + "É", "e\u0301" * 60]


def make_pool(seed):
    rng = random.Random(seed)
    pool = ["", *SPECIAL, *SPACES, *CONTROL, *EMOJI, *COMBINING, *LONG]
    for sentence in SENTENCES.replace("\n", "|").replace("\\n", "\n").replace("\\t", "\t").split("|"):
        pool += [sentence, sentence.upper(), sentence.swapcase(), *sentence.split(" ")]
    # Anything at all that has a name or may get one: no surrogates.
    for _ in range(300):
        point = rng.choice([rng.randrange(0x80, 0x800), rng.randrange(0x800, 0xD800), rng.randrange(0xE000, 0x10000), rng.randrange(0x10000, 0x20000)])
        pool.append(chr(point))
    for category in ("Mn", "Mc", "Po", "Pd", "Pc", "Ps", "Sc", "Sk", "Sm", "So", "Nl", "No", "Lm", "Lt", "Zs", "Cf"):
        found = [chr(point) for point in range(0x30000) if unicodedata.category(chr(point)) == category]
        pool += rng.sample(found, min(12, len(found)))
    return list(dict.fromkeys(pool))


def make_strings(pool, count, seed):
    """Lists of indices into the pool: every piece alone, then mixtures with and without spaces between."""
    rng = random.Random(seed)
    space, strings = pool.index(" "), [[i] for i in range(len(pool))]
    while len(strings) < count:
        parts = [rng.randrange(len(pool)) for _ in range(rng.randrange(2, 8))]
        if rng.random() < 0.5:
            parts = [part for each in parts for part in (each, space)][: rng.choice([None, -1])]
        strings.append(parts)
    return strings
