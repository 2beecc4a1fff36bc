"""A configuration that cannot be used is told by file, line, key and what is allowed, and never by a secret."""

import pytest

from rekon import settings
from rekon.settings import ConfigError, load

GOOD = """\
[server]
secret = "rahasia-untuk-uji-0123456789"
callback_token = "token-untuk-uji-0123"

[sources.toko]
refund_owner = "rekon"

[checks]
deadline_seconds = 15
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "rekon.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path):
    with pytest.raises(ConfigError) as raised:
        load(path)
    return str(raised.value)


def test_a_good_configuration_loads(written):
    assert load(written(GOOD)).sources["toko"].refund_owner == "rekon"


def test_a_missing_configuration_is_told_with_the_way_to_make_one(tmp_path):
    said = refusal(tmp_path / "rekon.toml")
    assert said.startswith(f"{tmp_path / 'rekon.toml'}: cannot be read")
    assert "rekon init" in said


def test_broken_toml_is_told_with_its_line(written):
    path = written(GOOD + "[gateway\n")
    assert refusal(path).startswith(f"{path}: ")
    assert "line 10" in refusal(path)


@pytest.mark.parametrize(
    ("before", "after", "line", "key", "allowed"),
    [
        ("[checks]", "[chekcs]", 8, "chekcs", "allowed: server, store, sources, providers,"),
        ("deadline_seconds =", "dead_line =", 9, "checks.dead_line", "allowed: deadline_seconds"),
        ("refund_owner =", "refund_by =", 6, "sources.toko.refund_by", "allowed: refund_owner, lag_seconds,"),
        ('"rekon"', '"kami"', 6, "sources.toko.refund_owner", "'rekon', 'server', 'provider' or 'manual'"),
        ('"rekon"', '"rekon"\nlag_seconds = -1', 7, "sources.toko.lag_seconds", "greater than or equal to 0"),
        ('"rekon"', '"rekon"\nlag_seconds = "dua"', 7, "sources.toko.lag_seconds", "valid integer"),
        ("= 15", "= 0", 9, "checks.deadline_seconds", "greater than 0"),
        ("= 15", "= 61", 9, "checks.deadline_seconds", "less than or equal to 60"),
        ('callback_token = "token-untuk-uji-0123"', "", 1, "server.callback_token", "Field required"),
        ('secret = "rahasia-untuk-uji-0123456789"', "", 1, "server.secret", "Field required"),
    ],
)
def test_a_fault_names_file_line_key_and_what_is_allowed(written, before, after, line, key, allowed):
    assert before in GOOD
    path = written(GOOD.replace(before, after))
    said = refusal(path)
    assert said.startswith(f"{path}:{line}: {key}: ")
    assert allowed in said


def test_every_fault_is_told_at_once(written):
    said = refusal(written(GOOD.replace("= 15", "= 0").replace('"rekon"', '"kami"')))
    assert [line.split(": ")[1] for line in said.splitlines()] == [
        "sources.toko.refund_owner",
        "checks.deadline_seconds",
    ]


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (
            '[sources.lain]\ngateway = "toko"',
            "sources.lain.gateway: there is no [gateway.toko]; known: none is configured",
        ),
        ('[messages]\ndefault_channel = "wa"', "messages.default_channel: there is no [channels.wa]; known: file"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_with_the_known_ones(written, added, said):
    assert said in refusal(written(f"{GOOD}\n{added}\n"))


@pytest.mark.parametrize(
    ("key", "long"), [("secret", "rahasia-untuk-uji-0123456789"), ("callback_token", "token-untuk-uji-0123")]
)
def test_a_secret_that_is_too_short_is_refused_and_not_repeated(written, key, long):
    said = refusal(written(GOOD.replace(long, long[:9])))
    assert f"server.{key} needs at least" in said
    assert long[:9] not in said


def test_no_value_of_a_fault_is_repeated(written):
    said = refusal(written(GOOD + '\n[server.api_keys]\ntoko = ["kunci-sangat-rahasia"]\n'))
    assert "server.api_keys.toko" in said
    assert "kunci-sangat-rahasia" not in said


def test_a_secrets_file_that_is_not_there_is_named(written, tmp_path):
    gone = tmp_path / "secrets" / "server"
    said = refusal(written(GOOD.replace('"rahasia-untuk-uji-0123456789"', f'{{ file = "{gone}" }}')))
    assert str(gone) in said


def test_a_credential_that_was_not_handed_over_is_named(written, monkeypatch, tmp_path):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    text = GOOD.replace('"rahasia-untuk-uji-0123456789"', '{ credential = "server" }')
    assert str(tmp_path / "server") in refusal(written(text))
    (tmp_path / "server").write_text("rahasia-dari-systemd-0123456789\n", encoding="utf-8")
    assert load(written(text)).server.secret.get_secret_value() == "rahasia-dari-systemd-0123456789"


def test_a_secret_is_never_printed():
    loaded = settings.Server.model_validate({"secret": "s" * 32, "callback_token": "t" * 32})
    assert "s" * 32 not in repr(loaded)
    assert "t" * 32 not in str(loaded)
