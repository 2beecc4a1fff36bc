"""An installation for each test, copied from one that `rekon init` made."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rekon.cli.app import app
from tests.cli.installation import NOW, Clock, Installation, copied


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
    clock_server.now = NOW
    installation = copied(first_installation, tmp_path / "rekon", clock_server)
    installation.configure(f'[clock]\nkind = "granted"\nurl = "{clock_server.url}"')
    yield installation
    installation.store.close()
