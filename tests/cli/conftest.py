"""An installation for each test, copied from one that `rekon init` made."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rekon.cli.app import app
from tests.cli.installation import Clock, Installation


@pytest.fixture(scope="session")
def first_installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installation") / "rekon"
    result = CliRunner().invoke(app, ["init", "--dir", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def clock_server() -> Iterator[Clock]:
    with Clock().served() as clock:
        yield clock


@pytest.fixture
def rekon(first_installation: Path, clock_server: Clock, tmp_path: Path) -> Iterator[Installation]:
    folder = tmp_path / "rekon"
    shutil.copytree(first_installation, folder)
    clock_server.now = Clock().now
    installation = Installation(folder=folder, clock=clock_server)
    text = installation.config.read_text(encoding="utf-8").replace(str(first_installation), str(folder))
    installation.config.write_text(text, encoding="utf-8")
    installation.configure(f'[clock]\nkind = "granted"\nurl = "{clock_server.url}"')
    yield installation
    installation.store.close()
