"""One SELECT and nothing else (reliability 10.3): what an operator writes into a mapping is checked word by word.

The list of calls is a list of what is allowed, because the list of what is dangerous never ends. The connection is
read-only besides; this check exists so that a slip is seen when the mapping is loaded, not when it has run.
"""

import re
from typing import NoReturn

_CALLS = """
    ABS ALL AND ANY AS AVG BETWEEN BY CASE CAST CEILING CHAR CHARINDEX COALESCE CONCAT CONVERT COUNT DATE DATEADD
    DATETIME DECIMAL DISTINCT ELSE END EXISTS FLOOR FROM GREATEST HAVING IFNULL IIF IN ISNULL JOIN JSON_EXTRACT
    JSON_VALUE LEAST LEFT LEN LENGTH LIKE LIMIT LOWER LTRIM MAX MIN NOT NULLIF NUMERIC NVARCHAR ON OR OVER PARTITION
    REPLACE RIGHT ROUND ROW_NUMBER RTRIM SELECT STUFF SUBSTR SUBSTRING SUM THEN TOP TRIM UPPER VARCHAR WHEN WHERE
"""
CALLS_ALLOWED = frozenset(_CALLS.split())
"""Words that may stand before an opening parenthesis: keywords, types and functions that only compute."""

_WORDS = """
    ALTER ANALYSE ANALYZE ATTACH BACKUP BEGIN BULK CALL CLUSTER COMMENT COMMIT COPY CREATE DBCC DEALLOCATE DECLARE
    DELETE DENY DETACH DISCARD DO DROP DUMPFILE EXCEPT EXEC EXECUTE EXPLAIN GRANT HANDLER HOLDLOCK INSERT INSTALL
    INTERSECT INTO KILL LISTEN LOAD LOCK MERGE NEXT NOTIFY OPENDATASOURCE OPENQUERY OPENROWSET OUTFILE PAGLOCK PRAGMA
    PREPARE PROCEDURE RECONFIGURE REINDEX RELEASE RENAME RESTORE RETURNING REVOKE ROLLBACK SAVEPOINT SECURITY SET
    SHARE SHUTDOWN START TABLESAMPLE TABLOCK TABLOCKX TRUNCATE UNION UPDATE UPDLOCK USE VACUUM WAITFOR WITH XLOCK
"""
WORDS_REFUSED = frozenset(_WORDS.split())

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<comment>--|/\*)
    | (?P<text>'(?:[^'\\:\x00-\x1f]|'')*')
    | (?P<quoted>"[A-Za-z_][A-Za-z0-9_ ]*"|`[A-Za-z_][A-Za-z0-9_ ]*`|\[[A-Za-z_][A-Za-z0-9_ ]*\])
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_]))
    | (?P<bind>:[a-z_]+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>\|\||<=|>=|<>|!=|[(),.=<>+*/%-])
    """,
    re.VERBOSE | re.ASCII,
)


class StatementRefusedError(ValueError):
    """A statement of a mapping is not one plain SELECT. The text says what to take out."""


def check_select(statement: str, *, binds: frozenset[str]) -> None:
    """Let one SELECT pass whose only parameters are `binds`.

    Raises:
        StatementRefusedError: for a second statement, a comment, UNION, WITH, anything that writes, locks, waits or
            reads files, a function not on the list, and any character whose meaning differs between databases.
    """
    tokens = _tokens(statement)
    if not tokens or tokens[0][1].upper() != "SELECT":
        _refuse("a statement must begin with SELECT")
    depth = selects = 0
    before = ("", "")
    for kind, text in tokens:
        _check_token(kind, text, binds=binds)
        if text == "(":
            depth += 1
            _check_call(*before)
        depth -= text == ")"
        if depth < 0:
            _refuse("a parenthesis closes that never opened")
        selects += depth == 0 and kind == "word" and text.upper() == "SELECT"
        before = (kind, text)
    if depth or selects != 1:
        _refuse("a statement must be one SELECT with its parentheses closed")


def check_part(part: str) -> None:
    """Let a part of a statement pass that stays inside its own parentheses, so that it cannot reach around others.

    Raises:
        StatementRefusedError: a parenthesis closes that the part did not open, or stays open.
    """
    depth = 0
    for _, text in _tokens(part):
        depth += (text == "(") - (text == ")")
        if depth < 0:
            break
    if depth:
        _refuse("the parentheses of this part do not match")


def _tokens(statement: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    while position < len(statement):
        match = _TOKEN.match(statement, position)
        if match is None:
            _refuse(f"character {statement[position]!a} may not stand in a statement")
        if match.lastgroup == "comment":
            _refuse("a comment may not stand in a statement")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group()))
        position = match.end()
    return found


def _check_token(kind: str, text: str, *, binds: frozenset[str]) -> None:
    if kind == "bind" and text[1:] not in binds:
        _refuse(f"parameter {text} is not known; known: {', '.join(sorted(binds))}")
    if kind == "word" and text.upper() in WORDS_REFUSED:
        _refuse(f"{text.upper()} may not stand in a statement; quote it if it is a column's name")


def _check_call(kind: str, text: str) -> None:
    if kind in {"quoted", "text", "bind"} or (kind == "word" and text.upper() not in CALLS_ALLOWED):
        _refuse(f"{text} may not be called")


def _refuse(reason: str) -> NoReturn:
    raise StatementRefusedError(reason)
