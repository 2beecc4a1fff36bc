import hmac

import pytest

from rekon.connectors.providers.parts import Recipe
from rekon.connectors.providers.signing import fill, is_same, is_signed_by_any, sign
from tests.connectors.providers.builders import CREDENTIALS, definition

BODY = b'{"data":{"ref_id":"REF0001","status":"Sukses","rc":"00"}}'
SIGNED = "sha1=83ece9082a55e92cd3bc7f50081b2d9924804dbb"
PLAIN = ("{username}", "{api_key}")
YUSUF = {"member_id": "YUSUF", "pin": "1144", "password": "abcd"}
OTOMAX = {"digest": "sha1", "encoding": "base64url", "separator": "|"}


@pytest.mark.parametrize(
    ("username", "last", "expected"),
    [
        ("rekonuser", "depo", "1894fee2193ca5365a1d6b2149e14574"),
        ("rekonuser", "pricelist", "eafb5b67a9f5c83df53928a1eeb91743"),
        ("rekonuser", "deposit", "2d80c06bc1db8c48b8b688c9126d9b57"),
        ("rekonuser", "REF0001", "005457f805dc5231352c0f512e198cdf"),
        ("rekonuser", "12345678901", "73b42611e0d5fd6dfcd1bca566b33531"),
        ("081234567890", "bl", "b2df5e236d2d12da8e643b7a59f85ee2"),
        ("081234567890", "pl", "c6eaf30f2340619d26fe52057f5b82d9"),
        ("081234567890", "cs", "f0ad7827f60a29c2b49301db4de07f31"),
        ("081234567890", "REF0001", "2256d04ea34911992557eb5c2d8d9ee6"),
    ],
)
def test_an_md5_signature_is_the_one_the_provider_expects(username, last, expected):
    values = {"username": username, "api_key": "dev-key-123"}
    assert sign(Recipe(parts=(*PLAIN, last)), values) == expected


@pytest.mark.parametrize(
    ("name", "recipe", "expected"),
    [
        ("digiflazz", "transaction", "005457f805dc5231352c0f512e198cdf"),
        ("digiflazz", "balance", "1894fee2193ca5365a1d6b2149e14574"),
        ("iak", "transaction", "2256d04ea34911992557eb5c2d8d9ee6"),
        ("iak", "balance", "b2df5e236d2d12da8e643b7a59f85ee2"),
        ("otomax", "transaction", "O3ZnOjszaixhQYkeLHrJgBG8h3g"),
    ],
)
def test_a_packaged_recipe_gives_the_known_signature(name, recipe, expected):
    values = {**CREDENTIALS[name], "ref_id": "REF0001", "product": "S5", "destination": "081234567890"}
    assert sign(definition(name).signing[recipe], values) == expected


def test_the_published_otomax_signature_is_made():
    values = {**YUSUF, "product": "X10", "destination": "08123456789", "ref_id": "2140669"}
    assert sign(definition("otomax").signing["transaction"], values) == "Cp9NLVuKWBt5Sey_uMlYsvnKvJI"


def test_member_and_product_are_signed_in_capitals():
    values = {**YUSUF, "member_id": "yusuf", "product": "x10", "destination": "08123456789", "ref_id": "2140669"}
    assert sign(definition("otomax").signing["transaction"], values) == "Cp9NLVuKWBt5Sey_uMlYsvnKvJI"


def test_both_balance_variants_of_otomax_can_be_configured():
    packaged = definition("otomax").signing["balance"]
    other = Recipe(parts=("OtomaX", "{member_id}", "", "", "", "{pin}", "{password}"), **OTOMAX)
    assert sign(packaged, YUSUF) == "YFuaekLx4HR_wei0nLRzxjqll0Q"
    assert sign(other, YUSUF) == "0TSEdki80ZbI0JPR5Kxd8S1hlRw"


def test_a_clone_may_change_the_prefix_and_the_encoding():
    parts = ("OtomaX", "{member_id}", "{pin}")
    raw = Recipe(parts=parts, digest="sha1", encoding="hex", separator="|")
    wrapped = Recipe(parts=parts, digest="sha1", encoding="base64_of_hex", separator="|")
    renamed = Recipe(parts=("R-ONE", *parts[1:]), **OTOMAX)
    assert sign(raw, YUSUF) == "69c62ad6f2b50578866a7e62972bcf7bad4f580d"
    assert sign(wrapped, YUSUF) == "NjljNjJhZDZmMmI1MDU3ODg2NmE3ZTYyOTcyYmNmN2JhZDRmNTgwZA=="
    assert sign(renamed, YUSUF) != sign(Recipe(parts=parts, **OTOMAX), YUSUF)


def test_a_value_that_looks_like_a_template_is_not_filled_again():
    assert fill("{ref_id}", {"ref_id": "{pin}", "pin": "1234"}) == "{pin}"


def test_the_published_callback_signature_is_accepted():
    assert is_signed_by_any(BODY, given=SIGNED, prefix="sha1=", secrets=["rahasia"])


def test_one_changed_byte_breaks_a_callback_signature():
    for position in range(len(BODY)):
        changed = BODY[:position] + bytes([BODY[position] ^ 1]) + BODY[position + 1 :]
        assert not is_signed_by_any(changed, given=SIGNED, prefix="sha1=", secrets=["rahasia"])


def test_either_secret_is_good_while_it_is_being_changed():
    assert is_signed_by_any(BODY, given=SIGNED, prefix="sha1=", secrets=["baru", "rahasia"])
    assert not is_signed_by_any(BODY, given=SIGNED, prefix="sha1=", secrets=["baru", "lama"])


@pytest.mark.parametrize("given", ["", "sha1=", SIGNED.removeprefix("sha1="), SIGNED.upper(), SIGNED + "0", "sha1=é"])
def test_a_signature_of_another_form_is_not_accepted(given):
    assert not is_signed_by_any(BODY, given=given, prefix="sha1=", secrets=["rahasia"])


def test_signatures_are_compared_whatever_a_stranger_sends():
    assert is_same("abc", "abc")
    assert not is_same("\ud800", "abc")
    assert hmac.compare_digest("abc", "abc")
