"""Where the daemon's log goes: stderr, one JSON object a line, or plain lines in a terminal."""

import sys
from typing import Any

import structlog


def configure() -> None:
    """Send every log event to stderr. Tracebacks show code, never values: those may be numbers or secrets (G10)."""
    drawn = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if drawn:
        ending: list[Any] = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    else:
        ending = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(processors=[*shared, *ending], logger_factory=_to_stderr, cache_logger_on_first_use=False)


def _to_stderr(*_names: object) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)
