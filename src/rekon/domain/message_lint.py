"""The rules every text to an agent keeps (rulebook 3.7.1; R027, R074, R119, R120, R123-R125)."""

import re
from collections.abc import Iterator, Mapping

LENGTH_MAX = 700
SHORT_LENGTH_MAX = 160

_NO_APOLOGY = frozenset({"M22", "M23"})
_VARIABLES_MIN = {"M23": 2, "M24": 0}
_VARIABLES_MIN_DEFAULT = 3
_RECOGNISED = 6
"""A value counts as shown when its beginning stands in the text: short texts cut long names."""

_FORBIDDEN = (
    "trx", "sn", "cs", "yg", "dgn", "utk", "tgl", "no.", "hp", "mhn", "sdh", "blm", "krn",
    "gak", "nggak", "udah", "aja",
    "kak", "bos", "gan", "bro", "sis", "juragan",
    "api", "timeout", "callback", "error", "pending", "refund", "rc", "h2h", "server", "server-down",
    "salah anda", "kelalaian anda", "bukan urusan", "itu kesalahan provider",
)  # fmt: skip
_SERVER_PHRASE = "koneksi ke server sedang sibuk"
_ENGLISH = (
    "the", "your", "you", "and", "is", "are", "was", "has", "have", "please", "sorry", "thank", "thanks",
    "failed", "success", "successful", "balance", "transaction", "number", "amount", "time", "hello",
    "customer", "we", "our", "for", "with", "to", "from",
)  # fmt: skip
_OPENERS = ("apakah", "bolehkah", "bersediakah", "sudahkah")
_TITLES = frozenset({"h.", "hj.", "tk.", "dr.", "drs.", "ir.", "ny.", "tn.", "bpk.", "pt.", "cv.", "ud.", "tb.", "st."})
_BOUNDARY = re.compile(r"(?<=[.?!])\s+")
_EXCLAMATIONS = re.compile(r"!\s*!")
EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\u25a0-\u25ff\u2190-\u21ff"
    "\u200d\u20e3\ufe0e\ufe0f\u3030\u303d\u3297\u3299\U000e0020-\U000e007f]"
)
"""Emoji and the joiners they are built with."""


def lint(text: str, *, template: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """Check a rendered Indonesian text and name every rule it breaks; an empty list means it may go out.

    `template` is the id, e.g. `M01`. With `variables` their number is checked too, and words that came from data (an
    agent called "Juragan Cell") are not held against the text. Rulebook 3.7.1.
    """
    return list(_problems(text, template=template, variables=variables))


def _problems(text: str, *, template: str, variables: Mapping[str, str] | None) -> Iterator[str]:
    sentences = split_sentences(text)
    if not text.startswith("Halo"):
        yield "greeting"
    if template not in _NO_APOLOGY and not any(_has_word("maaf", s) for s in sentences[:2]):
        yield "apology"
    if not _is_closed_question(sentences[-1] if sentences else ""):
        yield "closed_question"
    if variables is not None and _shown(text, variables) < _VARIABLES_MIN.get(template, _VARIABLES_MIN_DEFAULT):
        yield "too_few_variables"
    if len(text) > LENGTH_MAX:
        yield "too_long"
    if EMOJI.search(text):
        yield "emoji"
    if _EXCLAMATIONS.search(text):
        yield "exclamation"
    own = text.replace(_SERVER_PHRASE, " ")
    data = _words_of(variables or {})
    yield from (f"forbidden_word:{word}" for word in _FORBIDDEN if word not in data and _has_word(word, own))
    yield from (f"english_word:{word}" for word in _ENGLISH if word not in data and _has_word(word, own))


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences; the dot of a title (`H. Andi`, `PT. Maju`) or an initial ends none."""
    sentences: list[str] = []
    for part in _BOUNDARY.split(text.strip()):
        if sentences and _ends_in_title(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {part}"
        elif part:
            sentences.append(part)
    return sentences


def _ends_in_title(sentence: str) -> bool:
    last = sentence.rsplit(maxsplit=1)[-1].lower()
    return last in _TITLES or bool(re.fullmatch(r"[a-z]\.", last))


def _is_closed_question(sentence: str) -> bool:
    lowered = sentence.lower()
    return lowered.endswith("?") and (lowered.startswith(_OPENERS) or "bolehkah" in lowered)


def _has_word(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None


def _shown(text: str, variables: Mapping[str, str]) -> int:
    return sum(1 for value in variables.values() if value and value[:_RECOGNISED] in text)


def _words_of(variables: Mapping[str, str]) -> frozenset[str]:
    return frozenset(word for value in variables.values() for word in re.findall(r"\w+", value.lower()))
