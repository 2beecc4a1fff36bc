"""`rekon demo`: the whole story on this machine, judged by what truly happened."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from rekon.cli.demo_setup import Stage, set_up

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_STOP_SECONDS = 15.0
_SLOW_FACTOR = 4
_MEMORY = "/dev/shm"  # noqa: S108 - only names a place; the folder in it gets a random name and is ours alone
_ROOM = 512 * 1024 * 1024


class DemoFailedError(Exception):
    """The demo could not run. The text says which part and where its log is."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    for_seconds: float = typer.Option(60.0, "--for", help="Lama cerita dalam detik nyata."),
    speed: float = typer.Option(0.0, help="Detik bisnis per detik nyata; mengalahkan --for."),
    seed: int = typer.Option(1, help="Benih cerita: benih yang sama, cerita yang sama."),
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Simpan basis data, jurnal, dan catatan di sini.")
    ] = None,
    *,
    as_json: bool = typer.Option(False, "--json", help="Cetak putusan sebagai JSON saja."),
) -> None:
    """Perlihatkan rekon bekerja: dua server, tiga penyedia, sekitar 2.000 transaksi."""
    with _folder(folder) as place:
        try:
            verdict = play(set_up(place), for_seconds=for_seconds, speed=speed or None, seed=seed, quiet=as_json)
        except DemoFailedError as error:
            typer.echo(f"Demo berhenti: {error}", err=True)
            raise typer.Exit(4) from error
    if as_json:
        typer.echo(json.dumps(verdict))
    else:
        from rekon.cli import demo_view

        demo_view.show_verdict(verdict)
    raise typer.Exit(0 if verdict["ok"] else 1)


@contextlib.contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    with tempfile.TemporaryDirectory(prefix="rekon-demo-", dir=_memory(), ignore_cleanup_errors=True) as place:
        yield Path(place)


def _memory() -> str | None:
    """Name the folder that lives in memory, where there is room: what is thrown away afterwards need not reach a disk.

    None takes the system's ordinary place for temporary files.
    """
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None
    return _MEMORY


def play(stage: Stage, *, for_seconds: float, speed: float | None, seed: int, quiet: bool) -> dict[str, Any]:
    """Start the sandbox and the daemon, wait until the story is told, and let the judge speak."""
    from rekon import bootstrap
    from rekon.settings import load

    bootstrap.upgrade_store(load(stage.config), stage.folder)
    pace = ["--speed", str(speed)] if speed else ["--for", str(for_seconds)]
    port = ["--port", str(stage.sandbox_port), "--journal", str(stage.journals), "--seed", str(seed)]
    sandbox = start(stage, "sandbox", ["sandbox", *port, "--rekon-url", stage.rekon_url, *pace])
    daemon: subprocess.Popen[bytes] | None = None
    try:
        wait_until_up(sandbox, f"{stage.sandbox_url}/clock", stage)
        daemon = start(stage, "daemon", ["serve", "--config", str(stage.config)])
        wait_until_up(daemon, f"{stage.rekon_url}/healthz", stage)
        too_slow = _watch(stage, daemon, limit=for_seconds * _SLOW_FACTOR, quiet=quiet)
    finally:
        for process in (daemon, sandbox):
            if process is not None:
                stop(process)
    return judge(stage, too_slow=too_slow)


def judge(stage: Stage, *, too_slow: bool) -> dict[str, Any]:
    """Compare what rekon says it did with the sandbox's journals."""
    from rekon.sandbox.judge import judge as judge_journals
    from rekon.store.engine import Store
    from rekon.store.findings import export

    store = Store(f"sqlite:///{stage.folder / 'rekon.sqlite3'}")
    findings = store.read(export)
    store.close()
    (stage.folder / "findings.json").write_text(json.dumps(findings), encoding="utf-8")
    verdict = dict(judge_journals(stage.journals, findings))
    if too_slow:
        verdict |= {"ok": False, "reason": "too_slow"}
    return verdict


def start(stage: Stage, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start one of the two processes; what it says goes to `<name>.log` in the demo's folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REKON_")}
    command = [sys.executable, "-m", "rekon", *arguments]
    with (stage.folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)  # noqa: S603 - own program


def wait_until_up(process: subprocess.Popen[bytes], url: str, stage: Stage) -> None:
    """Wait until a process answers.

    Raises:
        DemoFailedError: when it ended or stays silent.
    """
    import httpx

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False, timeout=2).is_success:
                return
        time.sleep(0.05)
    text = f"{url} tidak menjawab; lihat catatan di {stage.folder}"
    raise DemoFailedError(text)


def _watch(stage: Stage, daemon: subprocess.Popen[bytes], *, limit: float, quiet: bool) -> bool:
    """Wait until the story is over, showing it as it goes. Returns whether it took too long."""
    from rekon.cli import demo_view

    with demo_view.live(stage, quiet=quiet) as view:

        def look(now: str) -> None:
            view(now)
            if daemon.poll() is not None:
                text = f"daemon berhenti dengan kode {daemon.returncode}; lihat {stage.folder / 'daemon.log'}"
                raise DemoFailedError(text)

        return follow(stage, look, limit=limit)


def follow(stage: Stage, look: Callable[[str], None], *, limit: float) -> bool:
    """Tell `look` the business time twice a second until the story is over. Returns whether it took too long."""
    import httpx

    started = time.monotonic()
    with httpx.Client(trust_env=False, timeout=10) as client:
        while True:
            clock = client.get(f"{stage.sandbox_url}/clock").json()
            look(clock["now"])
            if clock["done"]:
                return False
            if time.monotonic() - started > limit:
                return True
            time.sleep(_LOOK_SECONDS)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process gently, or at last by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
