"""The agent's answer to a closed question, and the signed links that carry it (R029, R120; rulebook 3.10)."""

import base64
import hashlib
import hmac
import re
from enum import StrEnum

_AGREES = frozenset({"ya", "yaa", "iya", "iyah", "yes", "yup", "betul", "bersedia", "setuju"})
_PARTICLES = frozenset({"ya", "yaa"})
_YES = (_AGREES - _PARTICLES) | {"benar", "boleh", "oke", "ok", "okay", "sudah", "sdh", "udah", "diterima"}
_COMPLAINS = frozenset({
    "hilang", "gagal", "kosong", "lama", "jam", "menit", "hari", "kapan", "nunggu", "menunggu", "tunggu", "terpotong",
    "kepotong", "komplain", "kurang", "salah", "batal", "dobel", "tapi", "tetapi",
})  # fmt: skip
_NO = frozenset(
    {"tidak", "tdk", "belum", "blm", "blom", "bukan", "jangan", "gak", "ga", "nggak", "ngga", "enggak", "ndak", "kagak"}
)
_ONE_LETTER = {"y": "ya", "t": "tidak"}
_DENIED = re.compile(r"\b(\w+)\s+(?:bersedia|setuju|benar|betul|boleh|diterima|oke|ok)\b")
_UNCLEAR = re.compile(r"\?|\b(?:tidak|tdk|gak|ga|nggak)\s+(?:apa\W*apa|papa|masalah|tahu|tau|yakin)\b")
_SHORT_ANSWER_WORDS = 6
_SECRET_BYTES_MIN = 16
_MAC_BYTES = 16
_PURPOSE = b"rekon answer link v1\x00"
_SEPARATOR = "."
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]+")
_ENCODED_MARK = "~"


class Answer(StrEnum):
    """What the agent said to a closed question."""

    YES = "YA"
    """The matter is settled, or he agrees."""
    NO = "TIDAK"
    """It is not settled, or he refuses."""


def parse_answer(text: str) -> Answer | None:
    """Read yes or no from an agent's words; a text with both, with neither, or that asks something is None.

    A person reads what gives None, for a yes can consent to a debit: a yes beside words of complaint ("sudah dua jam
    hilang") is none, "ya" counts only where the text begins with it, and a long text agrees only by its first word.
    "Tidak bersedia" is a plain no.
    """
    said = text.strip().lower()
    if _UNCLEAR.search(said):
        return None
    words = re.findall(r"\w+", _DENIED.sub(_keep_denial, said))
    if len(words) == 1:
        words = [_ONE_LETTER.get(words[0], words[0])]
    yes, no = _says_yes(words), not _NO.isdisjoint(words)
    if yes == no or (yes and not _COMPLAINS.isdisjoint(words)):
        return None
    return Answer.YES if yes else Answer.NO


def _says_yes(words: list[str]) -> bool:
    if words and words[0] in _AGREES:
        return True
    return len(words) <= _SHORT_ANSWER_WORDS and not _YES.isdisjoint(words)


def _keep_denial(match: re.Match[str]) -> str:
    return match[1] if match[1] in _NO else match[0]


def sign_answer_token(message_id: str, secret: bytes) -> str:
    """Make the token of an answer link: it names the message and proves that rekon issued it (128-bit MAC).

    The same message always has the same token. It is a credential: it stays out of logs.

    Raises:
        ValueError: when the secret has less than 16 bytes or the id is empty.
    """
    return f"{_written(message_id)}{_SEPARATOR}{_mac(message_id, secret)}"


def verify_answer_token(token: str, secret: bytes) -> str | None:
    """Return the message id of a genuine token, else None. Takes the same time for every forged one.

    Raises:
        ValueError: when the secret has less than 16 bytes.
    """
    written, _, mac = token.rpartition(_SEPARATOR)
    message_id = _read(written)
    expected = _mac(message_id or "-", secret)
    genuine = hmac.compare_digest(mac.encode(), expected.encode())
    return message_id if genuine and message_id else None


def _mac(message_id: str, secret: bytes) -> str:
    if len(secret) < _SECRET_BYTES_MIN:
        text = f"an answer secret needs at least {_SECRET_BYTES_MIN} bytes"
        raise ValueError(text)
    digest = hmac.digest(secret, _PURPOSE + message_id.encode(), hashlib.sha256)
    return _base64(digest[:_MAC_BYTES])


def _written(message_id: str) -> str:
    if not message_id:
        text = "an answer token needs a message id"
        raise ValueError(text)
    if _PLAIN_ID.fullmatch(message_id):
        return message_id
    return _ENCODED_MARK + _base64(message_id.encode())


def _read(written: str) -> str | None:
    if _PLAIN_ID.fullmatch(written):
        return written
    try:
        raw = base64.urlsafe_b64decode(written.removeprefix(_ENCODED_MARK).encode("ascii") + b"==")
        message_id = raw.decode()
    except ValueError:
        return None
    return message_id if message_id and _written(message_id) == written else None


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
