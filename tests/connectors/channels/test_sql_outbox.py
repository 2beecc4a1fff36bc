"""Messages put into the server's own outbox table, once."""

import inspect
from dataclasses import replace

import pytest
import sqlalchemy as sa

from rekon.connectors.channels.contract import DeliveryState
from rekon.connectors.channels.sql_outbox import (
    MARKER_TABLE,
    OutboxField,
    OutboxTable,
    SqlOutboxChannel,
    generic_outbox,
    otomax_outbox,
)
from tests.connectors.channels.parts import ANSWER_URL, NOW, NUMBER, TEXT, make_message

GENERIC = """CREATE TABLE rekon_outbox (message_id VARCHAR(100) UNIQUE, agent_id TEXT, address TEXT, body TEXT,
    short_body TEXT, created_at TIMESTAMP)"""
OTOMAX = """CREATE TABLE outbox (kode INTEGER PRIMARY KEY, tgl_entri TIMESTAMP, penerima TEXT, tipe_penerima TEXT,
    pesan TEXT, status INTEGER, kode_reseller TEXT, bebas_biaya INTEGER, is_perintah INTEGER, prioritas INTEGER)"""
MARKER = f"CREATE TABLE {MARKER_TABLE} (message_id VARCHAR(100) PRIMARY KEY)"


async def in_place(work):
    return work()


class LateLooker(SqlOutboxChannel):
    """Does not see at its first look what another process inserts right after it."""

    looks = 0

    def _is_there(self, connection, message):
        self.looks += 1
        return self.looks > 1 and super()._is_there(connection, message)


@pytest.fixture
def engine(tmp_path):
    made = sa.create_engine(f"sqlite:///{tmp_path / 'server.sqlite3'}")
    with made.begin() as connection:
        for statement in (GENERIC, OTOMAX, MARKER):
            connection.execute(sa.text(statement))
    yield made
    made.dispose()


def rows(engine, table):
    with engine.connect() as connection:
        return connection.execute(sa.text(f"SELECT * FROM {table}")).mappings().all()  # noqa: S608 - a fixed name


async def send(engine, table, **changes):
    return await SqlOutboxChannel(engine, table, run=in_place).send(make_message(**changes), now=NOW)


async def test_a_message_becomes_a_row_of_a_table_made_for_it(engine):
    delivery = await send(engine, generic_outbox())
    (row,) = rows(engine, "rekon_outbox")
    assert (delivery.state, delivery.reference) == (DeliveryState.SENT, "msg_1")
    assert (row["message_id"], row["agent_id"], row["address"]) == ("msg_1", "A1", NUMBER)
    assert row["body"] == f"{TEXT}\n\nYA / TIDAK: {ANSWER_URL}"
    assert row["created_at"].startswith("2026-11-22 07:05:00")


async def test_an_otomax_server_gets_the_short_text_in_its_own_time_and_free_of_charge(engine):
    await send(engine, otomax_outbox())
    (row,) = rows(engine, "outbox")
    assert (row["penerima"], row["tipe_penerima"], row["kode_reseller"]) == (NUMBER, "S", "A1")
    assert row["pesan"] == make_message().short_text
    assert row["tgl_entri"].startswith("2026-11-22 14:05:00")
    assert (row["status"], row["bebas_biaya"], row["is_perintah"], row["prioritas"]) == (0, 1, 0, 0)


async def test_an_otomax_chat_gets_the_whole_text(engine):
    await send(engine, otomax_outbox(recipient_type="W"))
    (row,) = rows(engine, "outbox")
    assert (row["tipe_penerima"], row["pesan"]) == ("W", TEXT)


@pytest.mark.parametrize(("table", "name"), [(generic_outbox(), "rekon_outbox"), (otomax_outbox(), "outbox")])
async def test_a_message_becomes_one_row_however_often_it_is_sent(engine, table, name):
    for _ in range(3):
        assert (await send(engine, table)).state is DeliveryState.SENT
    await send(engine, table, message_id="msg_2")
    assert len(rows(engine, name)) == 2


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (generic_outbox(), "INSERT INTO rekon_outbox (message_id) VALUES ('msg_1')"),
        (otomax_outbox(), "INSERT INTO rekon_outbox_marker VALUES ('msg_1')"),
    ],
)
async def test_a_row_another_process_inserted_between_look_and_insert_counts_as_sent(engine, table, row):
    with engine.begin() as connection:
        connection.execute(sa.text(row))
    delivery = await LateLooker(engine, table, run=in_place).send(make_message(), now=NOW)
    assert delivery.state is DeliveryState.SENT
    assert rows(engine, "outbox") == []
    assert len(rows(engine, "rekon_outbox")) <= 1


async def test_marker_and_row_come_together_or_not_at_all(engine):
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE outbox"))
    assert (await send(engine, otomax_outbox())).state is not DeliveryState.SENT
    assert rows(engine, MARKER_TABLE) == []
    with engine.begin() as connection:
        connection.execute(sa.text(OTOMAX))
    assert (await send(engine, otomax_outbox())).state is DeliveryState.SENT
    assert len(rows(engine, "outbox")) == 1


async def test_a_row_the_table_will_not_have_is_refused(engine):
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE strict_outbox (message_id TEXT UNIQUE, short TEXT CHECK (short = ''))")
        )
    table = OutboxTable(name="strict_outbox", columns={"short": OutboxField.TEXT}, unique_column="message_id")
    delivery = await send(engine, table)
    assert delivery.state is DeliveryState.REFUSED
    assert TEXT not in delivery.note


async def test_a_database_that_is_gone_is_tried_again(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'nowhere' / 'server.sqlite3'}")
    delivery = await send(engine, generic_outbox())
    engine.dispose()
    assert delivery.state is DeliveryState.RETRY
    assert str(tmp_path) not in delivery.note


async def test_a_hostile_text_stays_text(engine):
    hostile = "'); DROP TABLE rekon_outbox; --"
    await send(engine, generic_outbox(), text=hostile, message_id=hostile, answer_url="")
    (row,) = rows(engine, "rekon_outbox")
    assert (row["body"], row["message_id"]) == (hostile, hostile)


async def test_a_column_name_is_quoted(engine):
    with engine.begin() as connection:
        connection.execute(sa.text('CREATE TABLE "odd table" ("order" TEXT UNIQUE, "select ""x""" TEXT)'))
    table = OutboxTable(name="odd table", columns={'select "x"': OutboxField.CASE_ID}, unique_column="order")
    await send(engine, table)
    (row,) = rows(engine, '"odd table"')
    assert dict(row) == {"order": "msg_1", 'select "x"': "K-1"}


@pytest.mark.parametrize("change", [{"marker_table": "m"}, {"unique_column": ""}])
def test_a_table_without_exactly_one_guard_is_refused(engine, change):
    with pytest.raises(ValueError, match="unique column or a marker table"):
        SqlOutboxChannel(engine, replace(generic_outbox(), **change))


async def test_the_work_runs_off_the_loop_by_default(engine):
    sending = SqlOutboxChannel(engine, generic_outbox()).send(make_message(), now=NOW)
    assert inspect.isawaitable(sending)
    assert (await sending).state is DeliveryState.SENT


async def test_a_database_lost_between_look_and_insert_is_tried_again(engine):
    class Lost(SqlOutboxChannel):
        def _insert(self, message, *, now):
            raise sa.exc.IntegrityError(None, {}, ValueError())

        def _is_there(self, connection, message):
            raise sa.exc.OperationalError(None, {}, ValueError())

    delivery = await Lost(engine, generic_outbox(), run=in_place).send(make_message(), now=NOW)
    assert delivery.state is DeliveryState.RETRY


async def test_postgresql_takes_a_message_once(pg_url):
    engine = sa.create_engine(pg_url)
    with engine.begin() as connection:
        for statement in (GENERIC, OTOMAX.replace("kode INTEGER", "kode SERIAL"), MARKER):
            connection.execute(sa.text(statement))
    for table in (generic_outbox(), otomax_outbox()):
        states = {(await send(engine, table)).state for _ in range(2)}
        assert states == {DeliveryState.SENT}
        assert len(rows(engine, table.name)) == 1
    engine.dispose()


async def test_a_missing_table_waits_for_a_person_and_a_text_too_long_is_refused(pg_url):
    engine = sa.create_engine(pg_url)
    missing = await send(engine, generic_outbox())
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE rekon_outbox (message_id TEXT UNIQUE, body VARCHAR(5))"))
    columns = {"body": OutboxField.TEXT}
    narrow = await send(engine, OutboxTable(name="rekon_outbox", columns=columns, unique_column="message_id"))
    engine.dispose()
    assert (missing.state, missing.retry_after_seconds) == (DeliveryState.RETRY, 3_600)
    assert narrow.state is DeliveryState.REFUSED
