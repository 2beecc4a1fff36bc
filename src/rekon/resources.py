"""Where the data that ships with rekon lives: provider definitions, migrations, default configuration.

In an installed wheel it stands in `rekon/_data`; in a checkout it is the folders beside `src`. Nothing else in rekon
may build such a path itself.
"""

from pathlib import Path, PurePath

_PACKAGE = Path(__file__).resolve().parent
_PACKAGED_DATA = _PACKAGE / "_data"
_CHECKOUT = _PACKAGE.parent.parent


class UnsafeDataPathError(ValueError):
    """A part of the path would leave the data folders. Use names below `providers`, `migrations` or `config`."""


def data_path(*parts: str, state_dir: Path | None = None) -> Path:
    """Return the path of packaged data, such as `data_path("providers", "otomax", "provider.toml")`.

    A folder `providers/<name>` in `state_dir` replaces the packaged provider of that name whole, so that a definition
    is never read together with another one's samples. Existence is the reader's business.

    Raises:
        UnsafeDataPathError: a part is empty, absolute or climbs out of the data folders.
    """
    for part in parts:
        _refuse_to_climb(part)
    return _root(parts, state_dir).joinpath(*parts)


def _refuse_to_climb(part: str) -> None:
    path = PurePath(part)
    if not part or path.is_absolute() or ".." in path.parts:
        text = f"{part!r} does not name packaged data"
        raise UnsafeDataPathError(text)


def _root(parts: tuple[str, ...], state_dir: Path | None) -> Path:
    names = PurePath(*parts).parts
    if (
        state_dir is not None
        and names[:1] == ("providers",)
        and len(names) > 1
        and (state_dir / names[0] / names[1]).is_dir()
    ):
        return state_dir
    return _PACKAGED_DATA if _PACKAGED_DATA.is_dir() else _CHECKOUT
