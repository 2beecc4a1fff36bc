"""The database the other tests stand on is a real one, and every test has its own."""

import os
import pwd
import stat
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url, text

from tests import postgres

_SETTING = text("SELECT current_setting(:name)")


def _engine(url: str) -> Engine:
    return create_engine(url, connect_args={"connect_timeout": 10})


def test_a_fresh_database_is_a_real_empty_postgresql(pg_url):
    engine = _engine(pg_url)
    with engine.begin() as connection:
        assert connection.dialect.driver == "psycopg"
        assert connection.scalar(text("SELECT version()")).startswith("PostgreSQL ")
        assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
        connection.execute(text("CREATE TABLE seen (id bigint PRIMARY KEY)"))
        connection.execute(text("INSERT INTO seen VALUES (9007199254740993)"))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT id FROM seen")) == 9007199254740993
    engine.dispose()


def test_two_databases_share_nothing(pg_url, pg_module_url):
    first, second = _engine(pg_url), _engine(pg_module_url)
    with first.begin() as connection:
        connection.execute(text("CREATE TABLE mine (id bigint)"))
    with second.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('mine')")) is None
    first.dispose()
    second.dispose()


def test_a_database_is_dropped_even_with_a_connection_left_open(pg_dsn):
    name = f"rekon_test_left_open_{os.getpid()}"
    with postgres.fresh_database(pg_dsn, name) as url:
        engine = _engine(url)
        left_open = engine.connect()
        left_open.execute(text("SELECT 1"))
    left_open.invalidate()
    left_open.close()
    engine.dispose()
    server = _engine(pg_dsn)
    with server.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM pg_database WHERE datname = :n"), {"n": name}) == 0
    server.dispose()


def test_a_given_address_is_read_with_psycopg_and_keeps_its_password():
    assert postgres.as_url("postgresql://rekon:s%40ndi@127.0.0.1:5433/uji") == (
        "postgresql+psycopg://rekon:s%40ndi@127.0.0.1:5433/uji"
    )


def test_the_newest_complete_server_of_the_machine_is_chosen(tmp_path):
    for version, names in (
        ("9.6", ("initdb", "pg_ctl", "postgres")),
        ("15", ("initdb", "pg_ctl", "postgres")),
        ("17", ("psql",)),
    ):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    found = postgres.system_install(tmp_path)
    assert found == postgres.Install(bin_dir=tmp_path / "15" / "bin", carried=False)


def test_a_machine_without_a_server_falls_back_to_the_carried_one(tmp_path):
    assert postgres.system_install(tmp_path) is None
    with postgres.running_server(postgres.carried_install()) as url:
        home = Path(str(make_url(url).query["host"]))
        engine = _engine(url)
        with engine.connect() as connection:
            assert connection.scalar(_SETTING, {"name": "listen_addresses"}) == ""
        engine.dispose()
        owner = home.stat().st_uid
        assert owner != 0, "the server runs as root"
        assert pwd.getpwuid(owner).pw_name in {"postgres", "nobody", pwd.getpwuid(os.geteuid()).pw_name}
        assert stat.S_IMODE(home.stat().st_mode) == stat.S_IRWXU
    assert not home.exists()
