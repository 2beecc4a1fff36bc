"""Small files that stand beside the database and are replaced in one step."""

import os
from pathlib import Path

from rekon.store.engine import Store


def beside(store: Store, state_dir: Path, name: str) -> Path:
    """Return where a file stands: beside the SQLite database, else in the installation's folder."""
    database = store.url.database
    return Path(database).parent / name if store.is_sqlite and database else state_dir / name


def replace(path: Path, text: str) -> None:
    """Replace the file in one step: a power cut leaves the old one or the new one, never half of one.

    The folder itself is not synced. Should the old file come back, it knows of less than the database: a crash.
    """
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
