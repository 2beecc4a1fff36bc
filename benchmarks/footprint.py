"""The daemon itself: from its start to its first beat, and what it takes while nothing happens.

The start is held against a process that imports the same libraries and does nothing else.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import installation
from benchmarks.figures import Figure, Options, main, paired, say, stopwatch

from rekon.settings import load

ROUNDS = 5
IDLE_SECONDS = 20
IDLE_SECONDS_FULL = 60
SETTLE_SECONDS = 2.0
START_BAR = 2.0
IDLE_PERCENT_BAR = 0.5
RESIDENT_BAR = 110
_PATIENCE_SECONDS = 60.0
_LIST_LIBRARIES = (
    "import sys; bare = set(sys.modules); import rekon.cli.serve, rekon.daemon;"
    " print(*(name for name in sys.modules if name not in bare and name.partition('.')[0] != 'rekon'))"
)
_IMPORT_THEM = "import sys\nfor name in sys.argv[1].split():\n    __import__(name)"


def benchmark(options: Options) -> Iterator[Figure]:
    """Start the daemon several times in turns with its baseline, then watch it idle."""
    started, imported = [], []
    rounds = 1 if options.tiny else ROUNDS
    with installation.folder() as place:
        config = installation.make(place, port=_free_port())
        libraries = _run("-c", _LIST_LIBRARIES)
        for number in range(1 if options.tiny else 0, rounds + 1):
            say(f"footprint: start {number} of {rounds}" if number else "footprint: a first start, to warm the caches")
            took = _start_seconds(config), _import_seconds(libraries)
            if number:
                started.append(took[0])
                imported.append(took[1])
        seconds = options.pick(tiny=0, usual=IDLE_SECONDS, full=IDLE_SECONDS_FULL)
        say(f"footprint: idle for {seconds} s")
        percent, resident = _idle(config, seconds)
    yield Figure(
        name="start to first beat",
        value=statistics.median(started),
        unit="s",
        baseline=statistics.median(imported),
        against="s importing",
        paired=paired(started, imported),
        at_most=START_BAR,
    )
    yield Figure(name="idle: one core", value=percent, unit="%", at_most=IDLE_PERCENT_BAR)
    yield Figure(name="idle: resident", value=resident, unit="MiB", at_most=RESIDENT_BAR)


def _run(*words: str) -> str:
    return subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True).stdout  # noqa: S603 - this interpreter


def _import_seconds(libraries: str) -> float:
    with stopwatch() as taken:
        _run("-c", _IMPORT_THEM, libraries)
    return taken[0]


def _start_seconds(config: Path) -> float:
    """Wait for the first beat: from then on the daemon says that it is ready."""
    started = time.perf_counter()
    with _daemon(config):
        return time.perf_counter() - started


def _idle(config: Path, seconds: int) -> tuple[float, float]:
    """Watch a daemon with nothing to do. Returns its percent of one core and its resident MiB at the end."""
    with _daemon(config) as process:
        time.sleep(min(SETTLE_SECONDS, seconds))
        before = _processor_seconds(process.pid)
        with stopwatch() as taken:
            time.sleep(seconds)
        used = _processor_seconds(process.pid) - before
        return 100 * used / taken[0], _resident_mib(process.pid)


def _processor_seconds(pid: int) -> float:
    """Read the time a process has computed, in user and system mode: the fields 14 and 15 of its `stat`."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


@contextmanager
def _daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon as an operator starts it, from its first beat on."""
    command = [sys.executable, "-m", "rekon", "serve", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - this interpreter
        try:
            _wait_until_ready(process, load(config).server.port)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    ends_at = time.perf_counter() + _PATIENCE_SECONDS
    while process.poll() is None and time.perf_counter() < ends_at:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    message = f"the daemon did not come to its first beat; it ended with {process.poll()}"
    raise AssertionError(message)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


if __name__ == "__main__":
    main("footprint", benchmark)
