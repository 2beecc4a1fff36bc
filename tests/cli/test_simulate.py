import json
from pathlib import Path

from typer.testing import CliRunner

from rekon.cli.app import app

SCENARIOS = Path(__file__).parents[2] / "scenarios"
DEBITED_TWICE = SCENARIOS / "01-b10-terdebit-dua-kali.toml"


def invoke(*words):
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def test_a_scenario_is_played_and_its_books_and_journals_are_json(tmp_path):
    trace = tmp_path / "trace"
    done = invoke(DEBITED_TWICE, "--json", "--trace", trace)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ok"], told["differences"], told["violations"]) == (0, True, [], [])
    assert [(row["ref"], row["kind"]) for row in told["refunds"]] == [("A", "B10")]
    assert told["vouchers"][0]["amount"] == 5000
    assert {row["kind"] for row in told["gateway_journal"]} == {"refund_request"}
    assert "order" in {row["kind"] for row in told["provider_journal"]}
    assert "refunds fine" in trace.read_text().replace("', '", " ").replace("/", " ")


def test_a_changed_expectation_ends_with_one_and_names_the_difference(tmp_path):
    changed = tmp_path / "changed.toml"
    changed.write_text(DEBITED_TWICE.read_text().replace("amount = 5000,", "amount = 4500,"))
    done = invoke(changed)
    assert done.exit_code == 1
    assert "vouchers: expected 1 x ref=A amount=4500 state=redeemed, found 0" in done.stdout
    assert "TIDAK seperti diharapkan" in done.stdout


def test_people_read_what_was_done():
    said = invoke(SCENARIOS / "15-b30-menggantung-85-hari.toml").stdout
    assert "Menggantung 85 hari" in said
    assert said.endswith("Seperti diharapkan.\n")


def test_the_format_is_printed_as_a_json_schema():
    told = json.loads(invoke("--schema").stdout)
    assert {"name", "seed", "start", "end", "config", "agents", "facts", "provider", "expect"} == set(
        told["properties"]
    )
    assert "S50" in told["$defs"]["SaleFact"]["properties"]["product"]["enum"]


def test_a_file_that_is_no_scenario_is_wrong_use(tmp_path):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('name = "x"\n')
    done = invoke(wrong)
    assert done.exit_code == 2
    assert "wrong.toml:1: facts: Field required" in done.stderr


def test_without_a_file_the_way_on_is_told():
    done = invoke()
    assert done.exit_code == 2
    assert "--schema" in done.stderr
