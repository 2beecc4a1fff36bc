"""Reading what Telegram posts to us: a pressed button, or words in a private chat. Pure, and called by the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from rekon.domain.answer import Answer, parse_answer

UPDATE_BYTES_MAX = 64 * 1024
TEXT_MAX = 4_096
_SEPARATOR = ":"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundAnswer:
    """What a person said in a private chat with the bot.

    `answer` is None for words that are no clear yes or no: those go to a person. Who the agent is follows from
    `chat_id`, never from the button: a button proves nothing.
    """

    update_id: int
    chat_id: str = field(repr=False)
    answer: Answer | None
    message_id: str = ""
    """Our message, when a button under it was pressed."""
    telegram_message_id: str = ""
    """Telegram's number of the message the button hangs on, or that was replied to: the delivery's reference."""
    text: str = field(default="", repr=False)
    callback_query_id: str = field(default="", repr=False)


def button_data(answer: Answer, message_id: str) -> str:
    """Write what a button sends back."""
    return f"{answer.value}{_SEPARATOR}{message_id}"


def read_update(raw: bytes) -> InboundAnswer | None:
    """Read one update; None for groups, channels, bots, edits, empty words and anything that is no update."""
    update = _object(raw)
    number = update.get("update_id")
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    query, said = update.get("callback_query"), update.get("message")
    if isinstance(query, dict):
        return _pressed(number, query)
    return _written(number, said) if isinstance(said, dict) else None


def acknowledgement(answer: InboundAnswer) -> Mapping[str, str] | None:
    """Give the JSON to return to Telegram, so that a pressed button stops waiting; None when no button was pressed."""
    if not answer.callback_query_id:
        return None
    return {
        "method": "answerCallbackQuery",
        "callback_query_id": answer.callback_query_id,
        "text": "Terima kasih, jawaban Anda sudah kami catat.",
    }


def _pressed(number: int, query: Mapping[str, object]) -> InboundAnswer | None:
    said, data = query.get("message"), query.get("data")
    chat_id = _private_chat(said)
    word, separator, message_id = data.partition(_SEPARATOR) if isinstance(data, str) else ("", "", "")
    if chat_id is None or not separator or not message_id or word not in set(Answer):
        return None
    return InboundAnswer(
        update_id=number,
        chat_id=chat_id,
        answer=Answer(word),
        message_id=message_id,
        telegram_message_id=_number_of(said),
        callback_query_id=str(query.get("id", "")),
    )


def _written(number: int, said: Mapping[str, object]) -> InboundAnswer | None:
    chat_id, text = _private_chat(said), said.get("text")
    if chat_id is None or not isinstance(text, str) or not text.strip() or _is_bot(said.get("from")):
        return None
    return InboundAnswer(
        update_id=number,
        chat_id=chat_id,
        answer=parse_answer(text),
        telegram_message_id=_number_of(said.get("reply_to_message")),
        text=text[:TEXT_MAX],
    )


def _private_chat(said: object) -> str | None:
    chat = said.get("chat") if isinstance(said, dict) else None
    if not isinstance(chat, dict) or chat.get("type") != "private" or not isinstance(chat.get("id"), int):
        return None
    return str(chat["id"])


def _number_of(said: object) -> str:
    number = said.get("message_id") if isinstance(said, dict) else None
    return str(number) if isinstance(number, int) else ""


def _is_bot(person: object) -> bool:
    return isinstance(person, dict) and person.get("is_bot") is True


def _object(raw: bytes) -> Mapping[str, object]:
    if len(raw) > UPDATE_BYTES_MAX:
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
