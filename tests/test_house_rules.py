"""The rules of the house that no other tool checks."""

import ast
import re
import statistics
import sys
import tomllib

import pytest

import rekon
from tests import house

FUNCTION_MEDIAN_MAX = 10
FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 400

FLOATS_ALLOWED: dict[str, str] = {}
"""`folder/module.py::name` of code in `domain` or `store` that may say `float`, with the reason; never for money."""

WORDS_REFUSED = {
    r"mock\.patch": "pass the collaborator in",
    r"from unittest(?:\.mock)? import .*\bpatch\b": "pass the collaborator in",
    r"#\s*type:\s*ignore(?!\[)": "name the error code",
    r"#\s*type:\s*ignore\[[\w, -]+\]\s*$": "say why behind the code",
    r"#\s*noqa(?!:\s*[A-Z]+\d+)": "name the rule",
    r"#\s*noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*\s*$": "say why behind the rule",
    r"\bNotImplemented(?:Error)\b": "leave out what does not work yet",
    r"#.*\b(?:TO(?:DO)|FIX(?:ME)|X{3}|HAC[K])\b": "do it or drop it",
    r"\bpytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b": "a test runs or does not exist",
    r"\b(?:time|asyncio)\.sleep\((?!0\))": "wait for the thing itself",
}
SLEEP = r"\b(?:time|asyncio)\.sleep\((?!0\))"

EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u26ff\u2705\u2728\u274c\u274e\u2753-\u2757\u2764\ufe0f]")
WORKPLACE = re.compile(r"(?<![\w.}])/(?:work|root|Users)/\w|(?<![\w.}])/home/\w")


def test_every_source_file_is_seen():
    seen = {house.named(path) for path in house.python_files(house.SOURCE)}
    assert {"src/rekon/__init__.py", "src/rekon/domain/money.py", "src/rekon/sandbox/wire.py"} <= seen


def test_functions_are_short():
    lengths = [house.length(f) for path in house.python_files(house.SOURCE) for f in house.functions(path)]
    assert statistics.median(lengths) <= FUNCTION_MEDIAN_MAX


def test_no_function_is_longer_than_a_screen():
    too_long = [
        f"{house.named(path)}:{function.lineno} {function.name} has {house.length(function)} lines"
        for path in house.python_files(house.SOURCE)
        for function in house.functions(path)
        if house.length(function) > FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_no_module_is_a_book():
    counts = {
        house.named(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in house.python_files(house.SOURCE)
    }
    assert {name: count for name, count in counts.items() if count > MODULE_LINES_MAX} == {}


@pytest.mark.parametrize("pattern", [word for word in WORDS_REFUSED if word != SLEEP])
def test_a_refused_word_is_nowhere(pattern):
    found = _lines_with(re.compile(pattern), ("src", "tests", "migrations", "benchmarks"))
    assert found == [], WORDS_REFUSED[pattern]


def test_no_test_sleeps():
    assert _lines_with(re.compile(SLEEP), ("tests",)) == [], WORDS_REFUSED[SLEEP]


@pytest.mark.parametrize(
    ("code", "pattern"),
    [
        ("with mock" + ".patch('a.b'):", r"mock\.patch"),
        ("x = y  # type" + ": ignore", r"#\s*type:\s*ignore(?!\[)"),
        ("x = y  # type" + ": ignore[arg-type]", r"#\s*type:\s*ignore\[[\w, -]+\]\s*$"),
        ("import os  # no" + "qa", r"#\s*noqa(?!:\s*[A-Z]+\d+)"),
        ("import os  # no" + "qa: F401", r"#\s*noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*\s*$"),
        ("time" + ".sleep(1)", SLEEP),
    ],
)
def test_a_refused_word_would_be_seen(code, pattern):
    assert pattern in WORDS_REFUSED
    assert re.search(pattern, code)


def test_money_is_never_a_float():
    found = [
        where
        for room in ("domain", "store")
        for path in house.python_files(house.SOURCE / room)
        for where in _floats(path.relative_to(house.SOURCE).as_posix(), house.tree(path))
    ]
    assert [where for where in found if where.partition(" ")[0] not in FLOATS_ALLOWED] == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("def pay(amount: float) -> None: ...", 1),
        ("def pay(amount: int) -> float | None: ...", 1),
        ("def pay(amount):\n    return float(amount)", 1),
        ("price = Column('price', Float)", 1),
        ("def pay(amount):\n    return isinstance(amount, float)", 0),
        ("def pay(amount):\n    return isinstance(amount, (float, str))", 0),
        ("def pay(amount: int) -> int: ...", 0),
    ],
)
def test_a_float_would_be_seen(code, count):
    assert len(list(_floats("room/module.py", ast.parse(code)))) == count


def test_the_readme_names_only_commands_that_exist():
    makefile = (house.ROOT / "Makefile").read_text(encoding="utf-8")
    readme = (house.ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", makefile, flags=re.MULTILINE))
    commands = set(re.findall(r"\bmake ([a-z][\w-]*)", readme))
    assert {"demo", "test"} <= commands
    assert commands <= targets


def test_every_make_target_says_what_it_does():
    makefile = (house.ROOT / "Makefile").read_text(encoding="utf-8")
    lines = [line for line in makefile.splitlines() if re.match(r"[a-z][\w-]*:(?!=)", line)]
    assert [line for line in lines if not re.search(r"## \w+", line)] == []


def test_no_file_shows_emoji():
    assert _lines_with(EMOJI, ("",)) == []


def test_no_file_knows_a_path_of_somebodys_machine():
    assert _lines_with(WORKPLACE, ("",)) == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-demo.lock"])
def test_a_lock_file_names_packages_and_hashes_only(name):
    text = (house.ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    pinned = re.findall(r"^([a-z0-9][\w.-]*)==[^\n]*\\\n    --hash=sha256:", text, flags=re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[a-z0-9]", text, flags=re.MULTILINE))


def test_the_demo_lock_is_a_part_of_the_whole_lock():
    whole, demo = (_pins(name) for name in ("requirements.lock", "requirements-demo.lock"))
    assert demo
    assert demo.items() <= whole.items()


def test_every_direct_dependency_is_locked_and_gives_its_reason():
    text = (house.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    dependencies = tomllib.loads(text)["project"]["dependencies"]
    demo = _pins("requirements-demo.lock")
    for dependency in dependencies:
        name = re.split(r"[^\w-]", dependency)[0]
        assert name in demo
        assert re.search(rf'^    "{re.escape(dependency)}", *# \w+', text, flags=re.MULTILINE), dependency
    assert len(dependencies) <= 20


COME_WITH_ANOTHER = {"starlette": "fastapi"}
"""What is imported by its own name though it is pinned to another package's choice."""

NEVER_IMPORTED = {
    "psycopg": "SQLAlchemy loads it by the database's address",
    "python-multipart": "FastAPI loads it to read forms",
    "sniffio": "httpx-aiohttp loads it",
    "tzdata": "the standard library reads its files",
    "openpyxl": "loaded by name when a workbook comes in",
}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    project = tomllib.loads((house.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w-]", one)[0].replace("-", "_") for one in project["dependencies"]}
    imported = {name for path in house.python_files(house.SOURCE) for name in _imports(house.tree(path))}
    outside = imported - sys.stdlib_module_names - {"rekon"}
    assert {COME_WITH_ANOTHER.get(name, name) for name in outside} - declared == set()
    assert declared - outside == {name.replace("-", "_") for name in NEVER_IMPORTED}


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_the_package_says_the_version_that_is_built():
    project = tomllib.loads((house.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert rekon.__version__ == project["version"]


def _lines_with(pattern: re.Pattern[str], folders: tuple[str, ...]) -> list[str]:
    roots = [house.ROOT / folder for folder in folders]
    return [
        f"{house.named(path)}:{number} {line.strip()}"
        for path in house.text_files()
        if any(path.is_relative_to(root) for root in roots)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


def _floats(name: str, module: ast.Module) -> list[str]:
    checked = {
        id(inner)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        for inner in ast.walk(node)
    }
    return [
        f"{name}::{_enclosing(module, node)} line {node.lineno}"
        for node in ast.walk(module)
        if isinstance(node, ast.Name) and node.id in {"float", "Float", "Double", "REAL"} and id(node) not in checked
    ]


def _enclosing(module: ast.Module, wanted: ast.AST) -> str:
    names = [
        node.name
        for node in ast.walk(module)
        if isinstance(node, house.Function | ast.ClassDef) and any(inner is wanted for inner in ast.walk(node))
    ]
    return ".".join(names) or "module"


def _pins(name: str) -> dict[str, str]:
    text = (house.ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", text, flags=re.MULTILINE))
