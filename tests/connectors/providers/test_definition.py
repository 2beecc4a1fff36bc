import re
import shutil
from datetime import timedelta

import pytest

from rekon.connectors.providers.definition import DefinitionError, load_definition, load_definitions
from rekon.connectors.providers.parts import Meaning, Reason
from rekon.domain.outcome import FailureClass, Outcome
from rekon.domain.policy import CheckKind, CutOff
from tests.connectors.providers.builders import PROVIDERS, definition

NEVER_FORMED = {*range(40, 46), 56, 61, 62, 63, *range(65, 70), 80, 81, 82, 87, 88}
DEFINITE = {51, 52, 54, 57, 59, 60, 72, 73, 84}
SOFT = {2, 53, 55, 58, 71}
CHECK_ERROR = NEVER_FORMED | {47, 49, 64, 83, 85, 86}
STOPS = {43, 44, 56, 61, 62, 63, *range(65, 70), 80, 81, 82, 87, 88}
FORMED = {0, 1, 2, 3, *range(50, 56), 57, 58, 59, 60, 70, 71, 72, 73, 74, 84, 85, 86, 99}


@pytest.fixture
def copy(tmp_path):
    """Copy a packaged provider and change its file."""

    def change(name, *replacements):
        folder = tmp_path / name
        shutil.copytree(PROVIDERS / name, folder, dirs_exist_ok=True)
        text = (folder / "provider.toml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / "provider.toml").write_text(text, encoding="utf-8")
        return folder

    return change


def codes(name, column, meaning):
    return {int(code) for code, row in definition(name).codes.items() if getattr(row, column) is Meaning(meaning)}


def test_the_packaged_providers_are_three():
    assert list(load_definitions([PROVIDERS])) == ["digiflazz", "iak", "otomax"]


def test_a_later_root_replaces_a_packaged_provider(copy, tmp_path):
    copy("iak", ('title = "IAK prabayar"', 'title = "IAK milik sendiri"'))
    found = load_definitions([PROVIDERS, tmp_path, tmp_path / "absent"])
    assert found["iak"].title == "IAK milik sendiri"
    assert found["digiflazz"].title == "Digiflazz prabayar"


@pytest.mark.parametrize(
    ("column", "meaning", "expected"),
    [
        ("as_first_reply", "never_formed", NEVER_FORMED),
        ("as_first_reply", "definite", DEFINITE),
        ("as_first_reply", "soft", SOFT),
        ("as_first_reply", "timeout_like", {1, 70, 85, 86}),
        ("as_first_reply", "not_found", {50}),
        ("as_first_reply", "reversed", {74}),
        ("as_first_reply", "pending", {3, 99}),
        ("as_first_reply", "unknown", {47, 49, 64, 83}),
        ("as_first_reply", "delivered", {0}),
        ("as_check", "check_error", CHECK_ERROR),
        ("as_check", "definite", DEFINITE),
        ("as_check", "soft", SOFT),
        ("as_check", "timeout_like", {1, 70}),
        ("as_check", "never_formed", set()),
        ("as_check", "unknown", set()),
    ],
)
def test_a_digiflazz_code_means_what_the_design_says(column, meaning, expected):
    assert codes("digiflazz", column, meaning) == expected


def test_digiflazz_codes_forbid_further_checks_and_prove_forming_as_listed():
    rows = {int(code): row for code, row in definition("digiflazz").codes.items()}
    assert {code for code, row in rows.items() if row.stops_checks} == STOPS
    assert {code for code, row in rows.items() if row.formed} == FORMED


@pytest.mark.parametrize(
    ("column", "meaning", "expected"),
    [
        ("as_first_reply", "never_formed", {17, 20, 102, 107, 117, 118, 204, 205}),
        ("as_first_reply", "definite", {10, 12, 13, 14, 16, 121, 131, 141, 142, 202, 203, 206, 207}),
        ("as_first_reply", "soft", {7, 106, 110}),
        ("as_check", "definite", {10, 12, 13, 14, 16, 17, 20, 107, 121, 131, 141, 142, 202, 203, 206, 207}),
        ("as_check", "soft", {7, 106}),
        ("as_check", "check_error", {102, 110, 117, 118, 204, 205}),
        ("as_check", "not_found", {6}),
        ("as_check", "pending", {39, 201}),
    ],
)
def test_an_iak_code_means_what_the_rulebook_says(column, meaning, expected):
    assert codes("iak", column, meaning) == expected


@pytest.mark.parametrize(
    ("column", "meaning", "expected"),
    [
        ("as_first_reply", "never_formed", {41, 42, 43, 49, 51, 63}),
        ("as_first_reply", "definite", {44, 52, 53, 54, 56, 58, 59, 61}),
        ("as_first_reply", "soft", {40, 45, 47, 50, 64, 69}),
        ("as_first_reply", "timeout_like", {55}),
        ("as_first_reply", "unknown", {3, 4, 21, 22, 23, 46}),
        ("as_first_reply", "pending", {0, 1, 2, 5, 200, 201}),
        ("as_first_reply", "delivered", {20}),
        ("as_check", "check_error", {41, 42, 43, 49, 51, 63}),
    ],
)
def test_an_otomax_state_means_what_the_rulebook_says(column, meaning, expected):
    assert codes("otomax", column, meaning) == expected


@pytest.mark.parametrize("name", ["digiflazz", "iak", "otomax"])
def test_nothing_that_was_never_formed_counts_as_proof(name):
    rows = definition(name).codes.values()
    assert not [row.says for row in rows if row.formed and row.as_first_reply is Meaning.NEVER_FORMED]


def test_a_check_error_says_nothing_about_the_purchase():
    assert (Meaning.CHECK_ERROR.outcome, Meaning.CHECK_ERROR.failure_class) == (
        Outcome.UNKNOWN,
        FailureClass.CHECK_ERROR,
    )


@pytest.mark.parametrize("meaning", list(Meaning))
def test_only_failures_have_a_failure_class(meaning):
    assert (meaning.failure_class is not None) is (meaning.outcome is Outcome.FAILED or meaning is Meaning.CHECK_ERROR)


def test_the_domain_gets_its_rules_from_the_definition():
    rules = definition("digiflazz").rules()
    assert (rules.name, rules.check, rules.max_check_age) == ("digiflazz", CheckKind.RESEND, timedelta(days=80))
    assert rules.cut_offs == (CutOff(start_minute=1380, end_minute=60, families=frozenset({"pln_token", "postpaid"})),)


def test_only_digiflazz_buys_by_being_asked():
    kinds = {name: definition(name).inquiry.kind for name in ("digiflazz", "iak", "otomax")}
    assert kinds == {"digiflazz": CheckKind.RESEND, "iak": CheckKind.READ_ONLY, "otomax": CheckKind.READ_ONLY}


def test_reasons_are_the_keys_of_the_plain_dictionary():
    assert len(Reason) == 15


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("iak", 'title = "IAK prabayar"', "", r"provider\.toml: key 'title' is missing"),
        ("iak", 'title = "IAK prabayar"', "title = 7", r"provider\.toml\.title: 7 is not a text"),
        ("iak", 'title = "IAK prabayar"', 'titel = "x"', r"unknown key 'titel'; allowed: account_exclusive, balance"),
        ("iak", "per_second = 60", "per_second = true", r"limits\.per_second: True is not a number"),
        ("iak", "per_second = 60", "per_second = 0", r"limits: per_second is above 0"),
        ("iak", "concurrency = 16", "concurrency = 1.5", r"limits\.concurrency: 1\.5 is not a whole number"),
        (
            "iak",
            'kind = "read_only"',
            'kind = "reads"',
            r"inquiry\.kind: 'reads' is not allowed; allowed: read_only, res",
        ),
        ("iak", 'dialect = "json"', 'dialect = "xml"', r"dialect: 'xml' is not allowed; allowed: json, form, text"),
        ("iak", 'dialect = "json"', 'dialect = "text"', r"text: the table belongs to the dialect"),
        ("iak", "account_exclusive = false", "account_exclusive = 0", r"account_exclusive: 0 is not true or false"),
        ("iak", 'reason = "busy"', 'reason = "angin"', r"codes\.201\.reason: 'angin' is not allowed; allowed: busy"),
        ("iak", 'as_check = "soft"', 'as_check = "failed"', r"codes\.07\.as_check: 'failed' is not allowed"),
        ("iak", 'as_check = "soft", ', "", r"codes\.07: key 'as_check' is missing"),
        ("iak", "checked_on = 2026-11-22", 'checked_on = "2026-11-22"', r"checked_on: '2026-11-22' is not a date"),
        ("iak", 'sign = "transaction"', 'sign = "buy"', r"signing: no recipe is named 'buy'"),
        ("iak", 'value = "{ref_id}"', 'value = "{refid}"', r"\{refid\} is neither a credential nor a value"),
        ("iak", 'name = "iak"', 'name = "iak2"', r"'iak2' is not the name of its folder, 'iak'"),
        ("iak", 'start = "23:00"', 'start = "24:00"', r"cut_off\[0\]: start is not a time of day"),
        ("iak", "checked_on", "checked_on checked_on", r"provider\.toml: "),
        ("iak", "max_age_days = 80", "max_age_days = 0", r"max_age_days are at least 1"),
        ("iak", 'sign_field = "sign"', "", r"callback: key 'sign_field' is missing"),
        ("iak", 'values = "texts"', 'values = "texts"\nbody_signed = true', r"body_signed is true exactly where"),
        ("iak", 'amount = "balance"', "", r"balance: give either amount or pattern"),
        ("iak", "[[hosts]]", "[hosts]", r"hosts|overwrite|table"),
        (
            "iak",
            'credentials = ["username", "api_key"]',
            'credentials = "username"',
            r"credentials: 'username' is not a list",
        ),
        ("iak", '"api_key"]', "7]", r"credentials\[1\]: 7 is not a text"),
        ("iak", "[complaint]", "[[complaint]]", r"complaint: \[.*\] is not a table"),
        ("digiflazz", "max_age_days = 80", "max_age_days = 81", r"max_age_days is at most 80 where kind is resend"),
        ("digiflazz", "min_interval_seconds = 60", "min_interval_seconds = 59", r"min_interval_seconds is at least 60"),
        ("digiflazz", "after_send_seconds = 90", "after_send_seconds = 60", r"after_send_seconds is at least 90"),
        ("digiflazz", 'header = "x-hub-signature"', "", r"callback: key 'header' is missing"),
        ("digiflazz", "[reply.contacts]", "contacts = 3\n[reply.other]", r"reply: unknown key 'other'"),
        ("otomax", 'read_only_field = "check"', "", r"read_only_field: a read-only check in plain text needs"),
        ("otomax", 'value = "1" },\n]', 'value = "{ref_id}" },\n]', r"'check' is not a field with a constant value"),
        ("otomax", '{ name = "check", value = "1" },', "", r"'check' is not a field with a constant value"),
        ("otomax", "(?P<serial>", "(?P<sn>", r"text: serial: the pattern has no group 'serial'"),
        ("otomax", "(?P<state>", "(?P<state", r"text\.embedded: not a pattern"),
        ("otomax", 'reference = "refid"', "", r"callback: key 'reference' is missing"),
    ],
)
def test_a_wrong_definition_is_refused_by_name(copy, name, old, new, said):
    folder = copy(name, (old, new))
    with pytest.raises(DefinitionError, match=said) as caught:
        load_definition(folder)
    assert str(folder / "provider.toml") in str(caught.value)


def test_a_definition_without_codes_is_refused(copy):
    folder = copy("iak")
    text = (folder / "provider.toml").read_text(encoding="utf-8")
    emptied = re.sub(r"^\d+ = \{.*\n", "", text, flags=re.MULTILINE)
    (folder / "provider.toml").write_text(emptied, encoding="utf-8")
    with pytest.raises(DefinitionError, match="codes: the table is empty"):
        load_definition(folder)


def test_a_folder_without_a_definition_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match=r"provider\.toml"):
        load_definition(tmp_path)


def test_a_text_rule_is_found_by_the_code_it_is_stored_under():
    rule = definition("otomax").find_row("GAGAL TIMEOUT")
    assert rule is not None
    assert rule.as_check is Meaning.TIMEOUT_LIKE
    assert definition("otomax").find_row("nothing") is None
    assert definition("iak").find_row("nothing") is None
