"""What the rules of the house are checked on: the project's own files, and its source as syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "rekon"
_MADE = frozenset({"__pycache__", "build", "dist", "node_modules"})
_KEPT = frozenset({".ci", ".gitignore"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def text_files() -> tuple[Path, ...]:
    """List every text file that belongs to the project, not what tools left beside it."""
    return tuple(sorted(path for path in _walk(ROOT) if _is_text(path)))


def python_files(folder: Path) -> list[Path]:
    return [path for path in text_files() if path.suffix == ".py" and path.is_relative_to(folder)]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=named(path))


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def length(function: Function) -> int:
    """Count the lines of a function from `def` to its end, its docstring left out."""
    end = function.end_lineno or function.lineno
    return end - function.lineno + 1 - _docstring_lines(function)


def _docstring_lines(function: Function) -> int:
    if ast.get_docstring(function, clean=False) is None:
        return 0
    first = function.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _MADE or path.name.endswith(".egg-info") or (path.name[0] == "." and path.name not in _KEPT):
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _is_text(path: Path) -> bool:
    try:
        path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return False
    return True
