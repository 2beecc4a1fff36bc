import pytest

from rekon.store import schema, staff
from tests.store import filling


def test_a_token_is_shown_once_and_only_its_hash_is_kept(rekon):
    token = rekon.hire("Sari")
    (row,) = filling.rows(rekon.store, schema.staff)
    assert row["token_hash"] == staff.token_hash(token)
    assert len(token) >= 32
    assert token not in rekon.run("users", "list").output


def test_two_people_have_different_tokens(rekon):
    assert rekon.hire("Sari") != rekon.hire("Budi")


def test_staff_is_listed_by_name_with_role_and_access(rekon):
    rekon.hire("Sari")
    rekon.hire("Ratna", "penyelia")
    rekon.json("users", "disable", "Sari")
    items = rekon.json("users", "list")["items"]
    assert [(one["name"], one["role"], one["active"]) for one in items] == [
        ("Ratna", "penyelia", True),
        ("Sari", "staf_billing", False),
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["add", "Sari", "--role", "direktur"], "usage"),
        (["add", " ", "--role", "auditor"], "usage"),
        (["add", "Sa\tri", "--role", "auditor"], "usage"),
        (["disable", "Siapa"], "not_found"),
    ],
)
def test_wrong_words_about_staff_are_refused(rekon, words, reason):
    assert rekon.refused("users", *words, code=2) == reason


def test_a_name_is_taken_once(rekon):
    rekon.hire("Sari")
    assert rekon.refused("users", "add", "Sari", "--role", "auditor", code=2) == "exists"


def test_who_gets_or_loses_access_is_written_down(rekon):
    rekon.hire("Sari")
    rekon.json("users", "disable", "Sari")
    assert [row["what"] for row in filling.rows(rekon.store, schema.audit)] == ["staff.added", "staff.disabled"]
