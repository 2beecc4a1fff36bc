"""The example configuration is a configuration: it loads, names every key, and quotes the true defaults."""

import re

import pytest
from pydantic import BaseModel

from rekon import bootstrap, settings
from rekon.domain.breaks import Mode
from rekon.domain.policy import Policy
from tests import house

EXAMPLE = house.ROOT / "config" / "rekon.toml"
SECRETS = "/var/lib/rekon/secrets/"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """Fill every secret the example names."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in set(re.findall(rf'"{SECRETS}(\w+)"', EXAMPLE.read_text(encoding="utf-8"))):
        (folder / name).write_text(f"rahasia-contoh-{name}-0123456789\n", encoding="utf-8")
    return folder


@pytest.fixture
def filled(secrets, tmp_path):
    """Write the example with its secrets filled; `everything` takes the settings it leaves out into use."""

    def write(*, everything=False):
        text = EXAMPLE.read_text(encoding="utf-8").replace(SECRETS, f"{secrets}/")
        if everything:
            text = re.sub(r"^#(?=[a-zA-Z\[])", "", text, flags=re.MULTILINE)
        path = tmp_path / "rekon.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_example_loads_once_its_secrets_are_filled(filled):
    loaded = settings.load(filled())
    assert loaded.server.secret.get_secret_value() == "rahasia-contoh-server-0123456789"
    assert loaded.sources["toko"].gateway in loaded.gateway


def test_the_example_needs_its_secrets(filled, secrets):
    path = filled()
    path.write_text(path.read_text(encoding="utf-8").replace(str(secrets), str(secrets / "kosong")), encoding="utf-8")
    with pytest.raises(settings.ConfigError, match="secret's file cannot be read"):
        settings.load(path)


def test_the_example_only_observes(filled):
    policy = bootstrap.policy_of(settings.load(filled()))
    assert policy.mode is Mode.OBSERVE
    assert dict(policy.modes) == {}


def test_what_the_example_leaves_out_loads_too(filled):
    loaded = settings.load(filled(everything=True))
    assert {table.kind for table in loaded.channels.values()} == {
        "file",
        "webhook",
        "telegram",
        "whatsapp",
        "email",
        "sql_outbox",
    }
    assert bootstrap.policy_of(loaded).modes


def test_the_example_names_every_key(filled):
    written = settings.load(filled(everything=True))
    assert sorted(set(_keys(settings.Settings)) - set(_given(written))) == []


def test_the_limits_of_the_example_are_the_true_defaults(filled):
    limits = settings.load(filled(everything=True)).limits.model_dump()
    assert limits == {name: getattr(Policy(), name) for name in limits}


def test_the_example_names_providers_that_exist(filled):
    known = bootstrap.load_provider_definitions(None)
    for name, table in settings.load(filled(everything=True)).providers.items():
        definition = known[table.definition or name]
        assert set(table.credentials) == set(definition.credentials)


def _keys(table):
    """List every key that may stand in a configuration, with `*` where the operator chooses a name."""
    for name, field in table.model_fields.items():
        inner, step = _table_of(field.annotation)
        if inner is None:
            yield name
        else:
            yield from (f"{name}{step}.{key}" for key in _keys(inner))


def _table_of(annotation):
    """Tell what stands below a key: a table, a table a name, or nothing of its own."""
    values = getattr(annotation, "__args__", ())
    inner, step = (values[1], ".*") if getattr(annotation, "__origin__", None) is dict else (annotation, "")
    is_table = isinstance(inner, type) and issubclass(inner, BaseModel)
    return (inner, step) if is_table else (None, "")


def _given(table):
    """List every key that is written in a loaded configuration."""
    for name in table.model_fields_set:
        value = getattr(table, name)
        tables = list(value.values()) if isinstance(value, dict) else []
        if isinstance(value, BaseModel):
            yield from (f"{name}.{key}" for key in _given(value))
        elif tables and all(isinstance(one, BaseModel) for one in tables):
            yield from (f"{name}.*.{key}" for one in tables for key in _given(one))
        else:
            yield name
