"""The table of mobile brands is data that staff may correct: these rules keep it usable."""

import itertools
import re
import tomllib

import pytest

from rekon.domain import message_lint
from tests import house

TABLE = tomllib.loads((house.ROOT / "config" / "operators.toml").read_text(encoding="utf-8"))
BRANDS = {key: value for key, value in TABLE.items() if isinstance(value, dict)}


def brand_of(number):
    found = [
        (len(prefix), key) for key, brand in BRANDS.items() for prefix in brand["prefixes"] if number.startswith(prefix)
    ]
    return max(found)[1] if found else None


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("081234567890", "telkomsel"),
        ("085112345678", "telkomsel"),
        ("085156345678", "byu"),
        ("085712345678", "indosat"),
        ("089612345678", "tri"),
        ("087812345678", "xl"),
        ("083112345678", "axis"),
        ("088812345678", "smartfren"),
        ("081012345678", None),
    ],
)
def test_a_number_belongs_to_its_brand(number, brand):
    assert brand_of(number) == brand


def test_no_prefix_belongs_to_two_brands():
    for left, right in itertools.combinations(BRANDS, 2):
        assert not set(BRANDS[left]["prefixes"]) & set(BRANDS[right]["prefixes"]), (left, right)


@pytest.mark.parametrize("key", BRANDS)
def test_a_brand_says_how_to_check(key):
    brand = BRANDS[key]
    assert set(brand) == {"name", "prefixes", "check_balance", "check_history"}
    assert all(re.fullmatch(r"08\d{2,4}", prefix) for prefix in brand["prefixes"])
    text = f"Halo, Andi. Mohon maaf. Mohon periksa melalui {brand['check_balance']}. Apakah sudah bertambah?"
    assert message_lint.lint(text, template="M07") == []


def test_the_length_of_a_number_has_bounds():
    assert (TABLE["digits_min"], TABLE["digits_max"]) == (10, 13)
