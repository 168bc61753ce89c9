"""The guard: what may pass, and what is refused before a server sees it."""

import pytest

from shadowagg.control.production.guard import Guard
from shadowagg.errors import UserError

TWIN = "shadowagg_scratch_x"
GUARD = Guard(TWIN, frozenset({"pods"}), frozenset({"postgres.public.known"}))

PASSES_ON_TRINO = [
    "SELECT * FROM hive.TWIN.pods AS p JOIN postgres.TWIN.keys AS k ON p.a = k.a",
    "SELECT * FROM TWIN.pods",
    'SELECT * FROM hive.TWIN."pods$partitions"',
    "SELECT * FROM postgres.public.known",
    "INSERT INTO hive.TWIN.out (a) SELECT a FROM hive.TWIN.pods WHERE b = ?",
    "INSERT INTO postgres.TWIN.out WITH a AS (SELECT 1 AS x) SELECT x FROM a",
    "DELETE FROM hive.TWIN.out WHERE source = ? AND (month = ? OR month = ?)",
    "CREATE TABLE IF NOT EXISTS hive.TWIN.t (a varchar) WITH (partitioned_by = ARRAY['a'])",
    "CREATE TABLE hive.TWIN.out WITH (format = 'PARQUET') AS SELECT 1 AS a",
    "DROP TABLE IF EXISTS hive.TWIN.out",
    "SELECT map_filter(m, (k, v) -> contains(keys, k)) FROM hive.TWIN.pods",
    "SELECT CAST(r AS row(a integer)).a FROM hive.TWIN.pods",
    "SELECT 1 -- ; DROP TABLE public.x",
    "SELECT '; DROP TABLE public.x'",
    "SELECT * FROM hive.TWIN.pods CROSS JOIN UNNEST(ARRAY['a']) AS t (x)",
]

PASSES_ON_POSTGRES = [
    "DELETE FROM TWIN.out WHERE day >= '2025-01-01'::date; INSERT INTO TWIN.out SELECT * FROM TWIN.a;",
    "WITH x AS (SELECT 1 AS a) SELECT * FROM x",
    "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM x) SELECT * FROM x",
    "WITH x AS (DELETE FROM TWIN.a RETURNING *) INSERT INTO TWIN.b SELECT * FROM x",
    "UPDATE TWIN.out AS o SET l = l - 'k' FROM TWIN.a AS a WHERE o.l ? 'k' AND o.l ?| array['x']",
    "INSERT INTO TWIN.out (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = EXCLUDED.a",
    "SELECT jsonb_object_agg(k, v ORDER BY k) FROM TWIN.a, LATERAL jsonb_each_text(l) AS e (k, v)",
    "SELECT uuid_generate_v4(), array_agg(DISTINCT a), string_agg(b, ',') FROM TWIN.a",
    "CREATE TABLE TWIN.tmp_virt_0f AS SELECT 1 AS a; CREATE INDEX i ON TWIN.tmp_virt_0f (a)",
    "DROP INDEX TWIN.i; DROP TABLE TWIN.tmp_virt_0f; TRUNCATE TWIN.out; ANALYZE TWIN.out",
    "SELECT 'ä€\u00a0$' -- ü\nFROM TWIN.a",
    r"SELECT E'a\\''b; DROP SCHEMA public' FROM TWIN.a",
]

HOSTILE_ON_TRINO = {
    "write elsewhere": "INSERT INTO hive.org1234567.out SELECT 1",
    "delete elsewhere": "DELETE FROM hive.org1234567.out",
    "drop elsewhere": "DROP TABLE postgres.public.known",
    "write what may be read": "DELETE FROM postgres.public.known",
    "update elsewhere": "UPDATE postgres.org1234567.out SET a = 1",
    "create elsewhere": "CREATE TABLE hive.org1234567.out (a integer)",
    "read another tenant": "INSERT INTO hive.TWIN.out SELECT * FROM hive.org1234567.pods",
    "read in a subquery": "SELECT (SELECT max(a) FROM postgres.org1.t) FROM hive.TWIN.pods",
    "read the server": "SELECT * FROM system.runtime.queries",
    "another catalog": "SELECT * FROM memory.TWIN.pods",
    "schema by prefix": "SELECT * FROM hive.TWIN2.pods",
    "a name without schema": "DELETE FROM out",
    "write an input": "INSERT INTO hive.TWIN.pods SELECT 1",
    "delete an input": 'DELETE FROM hive.TWIN."pods"',
    "write a part of an input": "INSERT INTO hive.TWIN.pods__1 SELECT 1",
    "drop an input": "DROP TABLE hive.TWIN.Pods",
    "a table over files": "CREATE TABLE hive.TWIN.x (a integer) WITH (external_location = 's3://t')",
    "a table over an input's files": "CREATE TABLE hive.TWIN.x (LIKE hive.TWIN.pods INCLUDING PROPERTIES)",
    "a view": "CREATE VIEW hive.TWIN.v AS SELECT 1 AS a",
    "a schema": "CREATE SCHEMA hive.other",
    "drop the schema": "DROP SCHEMA hive.TWIN CASCADE",
    "rename": "ALTER TABLE hive.TWIN.out RENAME TO hive.org1234567.out",
    "a procedure": "CALL hive.system.sync_partition_metadata('org1234567', 't', 'FULL')",
    "a statement as text": "EXECUTE IMMEDIATE 'DROP TABLE hive.org1234567.t'",
    "query passthrough": "SELECT * FROM TABLE(postgres.system.query(query => 'DELETE FROM public.t'))",
    "explain analyze": "EXPLAIN ANALYZE DELETE FROM hive.org1234567.t",
    "two statements": "SELECT 1; DROP TABLE hive.org1234567.t",
    "behind a comment that does not nest": "/* /* */ DROP TABLE hive.org1234567.t -- */",
    "behind a carriage return": "SELECT 1 -- x\rFROM hive.org1234567.t",
    "a session": "SET SESSION hive.x = true",
    "a grant": "GRANT SELECT ON hive.TWIN.out TO public",
    "nothing": "-- nothing",
    "no SQL": "SELEKT everything",
    "text without end": "SELECT 'a",
    "function of a schema": "SELECT postgres.public.f(1)",
    "use": "USE hive.org1234567",
}

HOSTILE_ON_POSTGRES = {
    "write elsewhere": "INSERT INTO public.t SELECT 1",
    "second of two": "DELETE FROM TWIN.out; INSERT INTO org1234567.t SELECT * FROM TWIN.out",
    "only": "DELETE FROM ONLY public.t",
    "in a WITH": "WITH x AS (DELETE FROM public.t RETURNING *) SELECT * FROM x",
    "into": "SELECT * INTO public.t FROM TWIN.out",
    "a target named like a query": "WITH t AS (SELECT 1) DELETE FROM t",
    "a query that reads its namesake": "WITH t AS (SELECT * FROM t) SELECT * FROM t",
    "a name of an inner query": "SELECT * FROM (WITH t AS (SELECT 1) SELECT 1) AS x, t",
    "a quoted schema": 'DELETE FROM "SHADOWAGG_SCRATCH_X".t',
    "by the database's name": "DELETE FROM postgres.TWIN.t",
    "drop two": "DROP TABLE TWIN.a, public.b",
    "truncate two": "TRUNCATE TWIN.a, public.b",
    "inherit": "CREATE TABLE TWIN.t () INHERITS (public.x)",
    "partition of": "CREATE TABLE TWIN.t PARTITION OF public.x DEFAULT",
    "reference": "CREATE TABLE TWIN.t (a integer REFERENCES public.x (id))",
    "like": "CREATE TABLE TWIN.t (LIKE public.x INCLUDING ALL)",
    "table space": "CREATE TABLE TWIN.t (a integer) TABLESPACE x",
    "temporary": "CREATE TEMPORARY TABLE t (a integer)",
    "index elsewhere": "CREATE INDEX i ON public.t (a)",
    "drop an index elsewhere": "DROP INDEX public.i",
    "drop an index of the path": "DROP INDEX i",
    "function": "CREATE FUNCTION TWIN.f() RETURNS integer AS 'SELECT 1' LANGUAGE sql",
    "trigger": "CREATE TRIGGER g BEFORE INSERT ON public.t EXECUTE FUNCTION TWIN.f()",
    "copy to a program": "COPY TWIN.t TO PROGRAM 'rm -rf /'",
    "copy from a file": "COPY TWIN.t FROM '/etc/passwd'",
    "do": "DO 'BEGIN DELETE FROM public.t; END'",
    "do in dollars": "DO $$ BEGIN DELETE FROM public.t; END $$",
    "a name that hides dollars": "SELECT 1 AS a$$ FROM TWIN.t; DELETE FROM public.t; --$$",
    "the end of the transaction": "COMMIT; DROP SCHEMA public CASCADE",
    "search path": "SET search_path TO public",
    "search path by function": "SELECT set_config('search_path', 'public', false)",
    "statement in a function": "SELECT query_to_xml('DELETE FROM public.t', true, true, '')",
    "another database": "SELECT * FROM dblink('dbname=x', 'DELETE FROM t') AS t (a integer)",
    "a file": "SELECT pg_read_file('/etc/passwd')",
    "a file of a schema": "SELECT pg_catalog.pg_read_file('/etc/passwd')",
    "a large object": "SELECT lo_import('/etc/passwd')",
    "a sequence": "SELECT nextval('public.s')",
    "somebody's session": "SELECT pg_terminate_backend(1)",
    "wait": "SELECT pg_sleep(1000)",
    "the catalog": "SELECT * FROM pg_catalog.pg_authid",
    "the catalog by its bare name": "SELECT * FROM pg_authid",
    "lock": "LOCK TABLE TWIN.t",
    "listen": "NOTIFY x",
    "alter": "ALTER TABLE TWIN.t SET SCHEMA public",
    "analyze all": "ANALYZE",
    "prepare": "PREPARE x AS DELETE FROM public.t",
    "extension": "CREATE EXTENSION dblink",
    "a letter that is none": r"SELECT 1 AS €E'\'; DELETE FROM public.t; --'",
    "a blank that is none": "SELECT 1\u00a0FROM TWIN.t",
    "a form feed": "SELECT 1 -- x\f\nFROM TWIN.t\f",
    "a comment in a comment": "SELECT /* a /* b */ 1; DELETE FROM public.t; -- */ */",
    "escapes in Unicode": 'SELECT * FROM U&"d\\0061t".x',
    "out of an escaped text": r"SELECT E'a\''; DELETE FROM public.t; --'",
    "table": "TABLE public.t",
    "merge": "MERGE INTO public.t USING TWIN.a ON true WHEN MATCHED THEN DELETE",
    "NUL": "SELECT 1\0; DELETE FROM public.t",
}


def placed(text):
    return text.replace("TWIN", TWIN)


@pytest.mark.parametrize("text", PASSES_ON_TRINO)
def test_what_stays_in_the_twin_passes_on_trino(text):
    (statement,) = GUARD.check(placed(text), "trino", on="template")

    assert statement.sql(dialect="trino")


@pytest.mark.parametrize("text", PASSES_ON_POSTGRES)
def test_what_stays_in_the_twin_passes_on_postgres(text):
    assert GUARD.check(placed(text), "postgres", on="template")


@pytest.mark.parametrize("text", HOSTILE_ON_TRINO.values(), ids=HOSTILE_ON_TRINO)
def test_a_hostile_statement_for_trino_is_refused(text, caplog):
    with pytest.raises(UserError, match=r"^template 3: refused: ") as refused:
        GUARD.check(placed(text), "trino", on="template 3")

    assert "\n" not in str(refused.value)
    assert [] == caplog.records


@pytest.mark.parametrize("text", HOSTILE_ON_POSTGRES.values(), ids=HOSTILE_ON_POSTGRES)
def test_a_hostile_statement_for_postgres_is_refused(text, caplog):
    with pytest.raises(UserError, match=r"^template 3: refused: ") as refused:
        GUARD.check(placed(text), "postgres", on="template 3")

    assert "\n" not in str(refused.value)
    assert [] == caplog.records


def test_a_table_that_may_be_read_elsewhere_may_not_be_written_in_the_same_statement():
    text = "INSERT INTO postgres.public.known SELECT * FROM postgres.public.known"

    with pytest.raises(UserError, match=r"refused: insert of postgres\.public\.known"):
        GUARD.check(text, "trino", on="template")
