"""An installation made by `rekon init`, its command line, and a business clock the test holds."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from rekon.bootstrap import audit_key
from rekon.cli.app import app
from rekon.settings import load
from rekon.store.engine import Store
from tests import builders

NOW = builders.at(minutes=30)


@dataclass(kw_only=True)
class Clock:
    """Business time, served the way the demo's owner of time serves it."""

    now: datetime = NOW
    url: str = ""

    @contextmanager
    def served(self) -> Iterator["Clock"]:
        clock = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"now": clock.now.isoformat(), "done": False}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/clock"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@dataclass(kw_only=True)
class Installation:
    """One installation and its command line."""

    folder: Path
    clock: Clock
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        key = audit_key(load(self.config))
        self.store = Store(f"sqlite:///{self.folder / 'rekon.sqlite3'}", audit_key=key)

    @property
    def config(self) -> Path:
        return self.folder / "rekon.toml"

    def configure(self, text: str) -> None:
        """Add tables to the configuration."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def run(self, *words: str, token: str = "", given: str | None = None, **environment: str) -> Result:
        """Run a command inside this process."""
        known = {"REKON_CONFIG": str(self.config), "REKON_STAFF_TOKEN": token}
        return CliRunner().invoke(app, list(words), env=known | environment, input=given)

    def json(self, *words: str, token: str = "", code: int = 0) -> Any:
        """Run a command with `--json` and read the one document it prints."""
        result = self.run(*words, "--json", token=token)
        assert result.exit_code == code, result.output or result.exc_info
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    def refused(self, *words: str, token: str = "", code: int = 3) -> str:
        """Run a command that must not succeed, and return its one-word reason."""
        said = self.json(*words, token=token, code=code)
        assert said["error"]
        reason: str = said["reason"]
        return reason

    def beat(self) -> Any:
        """Run `run --once` as a program of its own: a beat takes over the log of its process."""
        done = program("run", "--once", "--json", REKON_CONFIG=str(self.config))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def hire(self, name: str, role: str = "staf_billing") -> str:
        """Add a member of staff and return the personal token."""
        token: str = self.json("users", "add", name, "--role", role)["token"]
        return token


def copied(source: Path, folder: Path, clock: Clock) -> Installation:
    """Copy an installation nobody writes to, with the paths in its configuration."""
    shutil.copytree(source, folder)
    installation = Installation(folder=folder, clock=clock)
    text = installation.config.read_text(encoding="utf-8").replace(str(source), str(folder))
    installation.config.write_text(text, encoding="utf-8")
    return installation


def program(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a program of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REKON_")}
    return subprocess.run(
        [sys.executable, "-m", "rekon", *words],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
