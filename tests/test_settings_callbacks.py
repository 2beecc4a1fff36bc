"""What a configuration may say, beyond what its types already refuse."""

import pytest

from rekon import settings

BASE = """
[server]
secret = "rahasia-uji-0123456789abcdef"
callback_token = "pintu-uji-0123456789"
"""
FRONT = 'callbacks = "front"\nforward_to = "https://toko.example.id/hook"\n'


@pytest.fixture
def load(tmp_path):
    def read(text):
        path = tmp_path / "rekon.toml"
        path.write_text(f"{BASE}\n{text}", encoding="utf-8")
        return settings.load(path)

    return read


def test_rekon_in_front_of_a_server_needs_to_know_where_it_is(load):
    found = load(f"[providers.digiflazz]\n{FRONT}").providers["digiflazz"]
    assert found.forward_to.get_secret_value() == "https://toko.example.id/hook"
    assert "toko.example.id" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        '[providers.digiflazz]\ncallbacks = "front"',
        '[providers.digiflazz]\nforward_to = "https://toko.example.id/hook"',
        f"[providers.digiflazz]\naccepts_callbacks = false\n{FRONT}",
        f'[providers.digiflazz]\n{FRONT}[providers.dua]\ndefinition = "digiflazz"',
        '[providers.digiflazz]\ncallbacks = "sideways"',
    ],
)
def test_a_way_of_callbacks_that_cannot_work_is_refused(load, text):
    with pytest.raises(settings.ConfigError, match=r"providers\."):
        load(text)


def test_a_secret_beside_the_configuration_is_found_from_anywhere(load, tmp_path, monkeypatch):
    (tmp_path / "rahasia").mkdir()
    (tmp_path / "rahasia" / "hook").write_text("rahasia-webhook-0123456789\n", encoding="utf-8")
    elsewhere = tmp_path / "lain"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = load('[providers.digiflazz]\ncallback_secrets = [{ file = "rahasia/hook" }]')
    assert found.providers["digiflazz"].callback_secrets[0].get_secret_value() == "rahasia-webhook-0123456789"
    with pytest.raises(settings.ConfigError, match="secret's file cannot be read"):
        load('[providers.digiflazz]\ncallback_secrets = [{ file = "hook" }]')
