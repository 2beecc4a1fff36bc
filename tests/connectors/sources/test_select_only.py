import pytest

from rekon.connectors.sources.select_only import StatementRefusedError, check_select

BINDS = frozenset({"after_id", "since"})

ALLOWED = [
    "SELECT a FROM t",
    "select t.a AS x, COUNT(*) AS n FROM dbo.t t WHERE t.id > :after_id ORDER BY t.id",
    "SELECT COALESCE(a, 'none; -- no comment') FROM t",
    "SELECT 'it''s' FROM t",
    'SELECT [order], "group", `key` FROM t',
    "SELECT CASE WHEN a <> 1 AND (b = 2 OR c IS NULL) THEN 'x' ELSE 'y' END FROM t",
    "SELECT (SELECT MAX(b) FROM u WHERE u.id = t.id) FROM t LEFT JOIN v ON (v.id = t.id)",
    "SELECT CAST(a AS VARCHAR(20)) || 'x' FROM t WHERE a IN (1, 2.5) AND b LIKE '%x_'",
    "SELECT TOP (10) a - 1, b * 2, c / 3, d % 4, -e FROM t WHERE f != 1 AND g <= 2 AND h >= 3",
    "SELECT 'DROP TABLE t' FROM t",
    "SELECT [update] FROM t",
]

REFUSED = [
    "",
    " ",
    "DELETE FROM t",
    "SELECT 1; DROP TABLE t",
    "SELECT 1;",
    ";SELECT 1",
    "SELECT 1 -- x",
    "SELECT 1 --",
    "SELECT 1 /* x */",
    "SELECT 1 /*! INTO OUTFILE x */",
    "SELECT 1 # x",
    "/**/SELECT 1",
    "(SELECT 1)",
    "SELECT 1 UNION SELECT 2",
    "SELECT 1 UNION ALL SELECT pin FROM reseller",
    "SELECT 1 INTERSECT SELECT 2",
    "SELECT 1 EXCEPT SELECT 2",
    "SELECT 1 SELECT 2",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) y",
    "SELECT * FROM (DELETE FROM t RETURNING *) x",
    "SELECT * INTO u FROM t",
    "SELECT a INTO OUTFILE 'x' FROM t",
    "SELECT a INTO DUMPFILE 'x' FROM t",
    "SELECT a INTO @x FROM t",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "SELECT * FROM t WITH (TABLOCKX)",
    "SELECT * FROM t WITH (NOLOCK)",
    "SELECT * FROM t (TABLOCKX)",
    "UPDATE t SET a = 1",
    "INSERT INTO t VALUES (1)",
    "MERGE t USING u ON 1 = 1",
    "TRUNCATE TABLE t",
    "DROP TABLE t",
    "ALTER TABLE t ADD a INT",
    "CREATE TABLE t (a INT)",
    "GRANT ALL ON t TO u",
    "EXEC xp_cmdshell 'dir'",
    "EXECUTE sp_who",
    "CALL p()",
    "DO $$ BEGIN END $$",
    "SELECT $$x$$",
    "COPY t TO PROGRAM 'x'",
    "ATTACH DATABASE 'x' AS y",
    "PRAGMA query_only = OFF",
    "VACUUM",
    "SET TRANSACTION READ WRITE",
    "BEGIN",
    "COMMIT",
    "SELECT pg_sleep(5)",
    "SELECT PG_SLEEP (5)",
    "SELECT pg_catalog.pg_sleep(5)",
    'SELECT "pg_sleep"(5)',
    "SELECT [pg_sleep](5)",
    "SELECT `sleep`(5)",
    "SELECT sleep(5)",
    "SELECT benchmark(1000000, 1)",
    "SELECT load_extension('x')",
    "SELECT load_file('x')",
    "SELECT pg_read_file('x')",
    "SELECT lo_import('x')",
    "SELECT lo_export(1, 'x')",
    "SELECT dblink('x', 'y')",
    "SELECT * FROM dblink('x', 'y')",
    "SELECT * FROM OPENROWSET('x', 'y', 'z')",
    "SELECT * FROM OPENQUERY(x, 'y')",
    "SELECT * FROM OPENROWSET",
    "SELECT * FROM generate_series(1, 1000000000)",
    "SELECT nextval('s')",
    "SELECT NEXT VALUE FOR s",
    "SELECT setval('s', 1)",
    "SELECT set_config('a', 'b', false)",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_advisory_lock(1)",
    "SELECT get_lock('a', 5)",
    "SELECT query_to_xml('x', true, true, '')",
    "SELECT writefile('x', 'y')",
    "SELECT readfile('x')",
    "SELECT randomblob(1000000000)",
    "SELECT xp_cmdshell('x')",
    "SELECT master.dbo.xp_cmdshell('x')",
    "SELECT @@version",
    "SELECT @x",
    "SELECT ?",
    "SELECT a::text FROM t",
    "SELECT E'\\' OR 1=1 --'",
    "SELECT 'a\\' FROM t WHERE b = '; DROP TABLE t'",
    "SELECT 'a",
    'SELECT "a',
    "SELECT [a",
    "SELECT '10:00:00' FROM t",
    "SELECT 'a\x00b'",
    "SELECT a FROM t\x00",
    "SELECT a FROM t WHERE b = :secret",
    "SELECT a FROM t WHERE (b = 1",
    "SELECT a FROM t WHERE b = 1)",
    "SELECT a FROM t) UNION (SELECT 1",
    "SELECT 1\uff1b DROP TABLE t",
    "SELECT\u00a0a FROM t",
    "SELECT a FROM t WHERE b = \u2019x\u2019",
    "S\u0395LECT a FROM t",
    "SELECT {fn sleep(5)}",
    "SELECT 0x31",
    "SELECT 1e9999",
    "SELECT a FROM t PROCEDURE ANALYSE(1)",
    "SELECT a FROM t WAITFOR DELAY '0'",
    "EXPLAIN SELECT 1",
    "SELECT a FROM t\\g",
    "SELECT 'x'('y')",
    "select a from t union select b from u",
    "Select a Into b From t",
    "select a from t for update",
]


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_plain_select_passes(statement):
    check_select(statement, binds=BINDS)


@pytest.mark.parametrize("statement", REFUSED)
def test_anything_else_is_refused(statement):
    with pytest.raises(StatementRefusedError):
        check_select(statement, binds=BINDS)


def test_the_list_of_what_is_refused_is_long_enough():
    assert len(set(REFUSED)) >= 80


def test_a_very_long_statement_is_checked_to_its_end():
    long = "SELECT a" + ", a" * 20_000
    check_select(long, binds=BINDS)
    with pytest.raises(StatementRefusedError):
        check_select(long + "; DROP TABLE t", binds=BINDS)
