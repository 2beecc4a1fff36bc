import copy

import pytest

from rekon.connectors.sources.mapping import MappingError, parse_mapping
from rekon.domain.intake import Book
from tests.connectors.databases import preset

WALLET = {
    "name": "small",
    "zone": "Asia/Jakarta",
    "wallet": {
        "id": "m.id",
        "changed_at": "m.at",
        "tables": "m",
        "columns": {"line_id": "m.id", "agent_id": "m.agent", "posted_at": "m.at", "amount": "m.amount"},
        "constants": {"kind": "other"},
    },
}


def changed(**changes):
    document = copy.deepcopy(WALLET)
    for path, value in changes.items():
        *parents, last = path.split("__")
        table = document
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return document


@pytest.mark.parametrize("name", ["otomax", "laravel_ppob"])
def test_a_packaged_preset_is_whole(name):
    mapping = parse_mapping(preset(name))
    assert mapping.name == name
    assert set(mapping.books) == {Book.TRANSACTIONS, Book.WALLET, Book.AGENTS}


def test_sql_server_limits_in_front_and_the_others_at_the_end():
    book = parse_mapping(WALLET).books[Book.WALLET]
    assert book.statements(has_top=True).new_next == (
        "SELECT TOP (:row_limit) m.id AS rekon_id, m.at AS rekon_changed_at, m.id AS line_id, m.agent AS agent_id, "
        "m.at AS posted_at, m.amount AS amount FROM m WHERE (m.id > :after_id) ORDER BY m.id"
    )
    assert book.statements(has_top=False).changed_since.endswith(
        "FROM m WHERE (m.at >= :since) ORDER BY m.at, m.id LIMIT :row_limit"
    )


def test_an_installation_adds_its_own_words_and_zone():
    mapping = parse_mapping(preset("otomax"), zone="Asia/Makassar", words={"provider": {"311": "digiflazz"}})
    steps = dict(mapping.books[Book.TRANSACTIONS].steps)
    assert str(mapping.zone) == "Asia/Makassar"
    assert (steps["provider"](311), steps["provider"](312), steps["provider"](None)) == (
        "digiflazz",
        "312",
        "tanpa-modul",
    )


def test_a_server_that_stores_offsets_needs_no_zone():
    assert parse_mapping(changed(zone="")).zone is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name"),
        ({"nama": "x"}, "nama"),
        ({"zone": "WIB"}, "zone"),
        ({"zone": "../etc"}, "zone"),
        ({"zone": 7}, "zone"),
        ({"wallet": 1}, "wallet"),
        ({"wallet__id": ""}, "wallet.id"),
        ({"wallet__tables": 1}, "wallet.tables"),
        ({"wallet__query": "SELECT 1"}, "query"),
        ({"wallet__columns": []}, "wallet.columns"),
        ({"wallet__columns": {"line_id": "m.id"}}, "agent_id, posted_at, amount"),
        ({"wallet__columns__saldo": "m.s"}, "saldo"),
        ({"wallet__columns__amount": 5}, "amount"),
        ({"wallet__columns__amount": "m.amount; DROP TABLE m"}, "may not stand"),
        ({"wallet__columns__amount": "pg_sleep(5)"}, "may not be called"),
        ({"wallet__columns__amount": "m.amount FROM m UNION SELECT pin"}, "UNION"),
        ({"wallet__columns__amount": "(SELECT amount"}, "parentheses"),
        ({"wallet__where": "1 = 1) OR (1 = 1"}, "parentheses"),
        ({"wallet__where": "m.id = :secret"}, "secret"),
        ({"wallet__where": "1 = 1 -- x"}, "comment"),
        ({"wallet__tables": "m FOR UPDATE"}, "UPDATE"),
        ({"wallet__then": "m.id INTO x"}, "INTO"),
        ({"wallet__money": {"amount": "rounded"}}, "rounded"),
        ({"wallet__money": {"balance_after": "exact"}}, "balance_after"),
        ({"wallet__text": {"line_id": "upper"}}, "upper"),
        ({"wallet__maps": {"agent_id": {"otherwise": "guess"}}}, "otherwise"),
        ({"wallet__maps": {"agent_id": {"value": {}}}}, "value"),
        ({"wallet__maps": {"agent_id": {"values": {"1": 2}}}}, "values"),
    ],
)
def test_a_mapping_that_cannot_be_trusted_is_refused_when_it_is_loaded(changes, said):
    with pytest.raises(MappingError, match=said):
        parse_mapping(changed(**changes))


def test_a_mapping_without_a_book_is_refused():
    with pytest.raises(MappingError, match="no book"):
        parse_mapping({"name": "empty"})


def test_words_for_a_field_without_a_map_are_refused():
    with pytest.raises(MappingError, match="product"):
        parse_mapping(preset("otomax"), words={"product": {"a": "b"}})
