"""Log lines: one stable event name and fields, as JSON on stderr. No customer number ever (G10).

Masking by pattern is the last line only; code never logs a number in the first place.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\+?62[\s.-]?|0)8[0-9][0-9\s.-]{6,12}[0-9](?![0-9A-Za-z])")
_MASK = "08**********"


def configure(*, debug: bool = False) -> None:
    """Send every log line through one renderer; tracebacks carry no local variables."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            mask_numbers,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)


@contextmanager
def silenced() -> Iterator[None]:
    """Write no log line meanwhile: what a rehearsal does is told by its result."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def mask_numbers(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Mask whatever looks like a mobile number in any text of a line."""
    for key, value in event.items():
        event[key] = _masked(value)
    return event


def _masked(value: object) -> object:
    if isinstance(value, str):
        return _NUMBER.sub(_MASK, value)
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return value
