"""An installation's folder for each play: the database is made once by the migrations and copied."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store import databases


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "rekon.sqlite3"
    databases.fill_template(databases.sqlite_url(path))
    return path


@pytest.fixture(scope="session")
def new_folder(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Give folders with a fresh database in each."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("installation")
        databases.copy_file(sqlite_template, folder)
        return folder

    return make
