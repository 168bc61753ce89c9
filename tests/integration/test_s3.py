"""A lake in S3: what is read, how many requests it takes, and what goes wrong there."""

import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from s3_proxy import CUT, FORBIDDEN, GONE, HANG, S3Proxy

from shadowagg import runner
from shadowagg.cli import main
from shadowagg.discovery import registry
from shadowagg.errors import InputUnreadable
from shadowagg.paths import PathRequest, open_path
from shadowagg.scenario import load_scenario
from shadowagg.store import open_store

pytestmark = pytest.mark.server

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
PODS = "openshift_pod_usage_line_items_daily"
STORAGE = "openshift_storage_usage_line_items_daily"
KEYS = ("S3_ACCESS_KEY", "S3_SECRET_KEY")


@pytest.fixture(autouse=True)
def only_our_variables(monkeypatch):
    """Whoever runs the tests may have keys and servers of their own."""
    for name in [n for n in os.environ if n.startswith(("S3_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def keys(s3, monkeypatch):
    monkeypatch.setenv("S3_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("S3_SECRET_KEY", s3.secret_key)


@pytest.fixture
def proxy(s3, keys, monkeypatch):
    with S3Proxy(s3.endpoint) as proxy:
        monkeypatch.setenv("S3_ENDPOINT", proxy.endpoint)
        monkeypatch.setenv("S3_REGION", s3.region)
        yield proxy


@pytest.fixture
def bucket(s3):
    """A place of the test's own in the server's bucket."""
    place = Place(s3)
    yield place
    place.remove()


class Place:
    def __init__(self, s3):
        self.s3 = s3
        self.filesystem = s3.filesystem()
        self.prefix = f"s3-test-{uuid.uuid4().hex[:12]}"
        self.address = f"s3://{s3.bucket}/{self.prefix}"
        self.objects = []

    def put(self, key, content):
        with self.filesystem.open_output_stream(f"{self.s3.bucket}/{self.prefix}/{key}") as out:
            out.write(content)
        self.objects.append(key)

    def delete(self, key):
        self.filesystem.delete_file(f"{self.s3.bucket}/{self.prefix}/{key}")

    def remove(self):
        if self.s3.kind == "versitygw":
            # Not `shutil.rmtree`: some tests leave ten thousand folders.
            subprocess.run(["rm", "-rf", "--", self.s3.folder / self.prefix], check=True)
        else:
            self.filesystem.delete_dir(f"{self.s3.bucket}/{self.prefix}")


def uploaded(bucket, name, tmp_path, *, layout="tables", one_file=False, **inputs_at):
    """A golden scenario whose lake lies in the bucket."""
    golden = GOLDEN / name
    document = json.loads((golden / "scenario.json").read_text())
    account = document["schema"].removeprefix("acct")
    tables = {t.name: t for t in registry().provider("ocp").inputs if t.home == "lake"}
    parts = {}
    for file in sorted((golden / "inputs").rglob("*.parquet")):
        table, *partition, base = file.relative_to(golden / "inputs").parts
        if layout == "bucket":
            table = tables[table].location.format(account=account)
        key = "/".join([table, *partition, "all.parquet" if one_file else base])
        parts.setdefault(key, []).append(file)
    for key, files in parts.items():
        content = files[0].read_bytes()
        if len(files) > 1:
            read = [pq.read_table(file, partitioning=None) for file in files]
            sink = pa.BufferOutputStream()
            pq.write_table(pa.concat_tables(read, promote_options="permissive"), sink)
            content = sink.getvalue().to_pybytes()
        bucket.put(key, content)
    folder = tmp_path / f"{name}-{layout}"
    folder.mkdir()
    document["inputs_at"] = {
        "lake": bucket.address,
        "side": str((golden / "inputs_postgres").resolve()),
        "layout": layout,
        **inputs_at,
    }
    (folder / "scenario.json").write_text(json.dumps(document))
    return folder


def run(folder, home, *options):
    """`shadowagg run`: exit code, the record, everything that was printed."""
    words = ["run", "--scenario", str(folder), "--control", "embedded", "--json", "-", *options]
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    (record,) = json.loads(result.stdout)["records"]
    store = open_store(f"sqlite:///{home / 'records.sqlite'}")
    assert record == store.get(record["id"])
    store.close()
    return result.exit_code, record, result.output


def aggregate(folder, out, *options):
    words = ["aggregate", "--scenario", str(folder), "--out", str(out), *options]
    return CliRunner().invoke(main, words)


def request(folder):
    """What both paths are given; made while the inputs can still be read."""
    provider, scenario = registry().provider("ocp"), load_scenario(folder)
    (window,) = provider.windows(scenario)
    inputs = scenario.inputs()
    return PathRequest(provider, provider.plan(window, inputs), scenario.inputs())


def rows(folder):
    """The published rows, in some fixed order, random ids aside."""
    found = {}
    for file in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(file)
        names = [n for n in table.column_names if n != "uuid"]
        found[file.name] = sorted(map(repr, table.select(names).to_pylist()))
    return found


# --- the same rows as from a folder ------------------------------------------------------------


def test_both_paths_read_the_lake_and_agree(bucket, proxy, tmp_path, home):
    folder = uploaded(bucket, "ocp-labels", tmp_path, layout="bucket")
    code, record, _ = run(folder, home)
    assert (0, "match") == (code, record["verdict"]), record["reason"]
    assert record["rows_compared"] > 0
    for side in ("control", "candidate"):
        assert [] == record[side]["left_behind"]

    assert 0 == aggregate(folder, tmp_path / "there").exit_code
    assert 0 == aggregate(GOLDEN / "ocp-labels", tmp_path / "here").exit_code
    assert rows(tmp_path / "here") == rows(tmp_path / "there")


def test_large_objects_are_read_by_columns_and_opened_once(bucket, proxy, tmp_path, monkeypatch):
    monkeypatch.setattr("shadowagg.candidate.source._SMALL", 0)
    folder = uploaded(bucket, "ocp-labels", tmp_path)
    assert 0 == aggregate(folder, tmp_path / "there").exit_code
    assert 0 == aggregate(GOLDEN / "ocp-labels", tmp_path / "here").exit_code
    assert rows(tmp_path / "here") == rows(tmp_path / "there")
    heads = [target for method, target in proxy.requests if method == "HEAD"]
    month = [key for key in bucket.objects if "/month=03/" in key]
    assert len(heads) == len(set(heads)) == len(month)


def test_the_scenario_may_name_endpoint_and_region_and_the_environment_the_bucket(
    bucket, s3, keys, tmp_path, monkeypatch
):
    monkeypatch.setenv("S3_BUCKET_NAME", s3.bucket)
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:1")
    there = {"endpoint_override": s3.endpoint, "region": s3.region}
    lake = bucket.address.replace(s3.bucket, "")
    folder = uploaded(bucket, "ocp-nokeys", tmp_path, lake=lake, s3=there)
    result = aggregate(folder, tmp_path / "out")
    assert 0 == result.exit_code, result.output


def test_keys_may_come_under_the_names_of_the_library(bucket, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_REGION", s3.region)
    result = aggregate(uploaded(bucket, "ocp-nokeys", tmp_path), tmp_path / "out")
    assert 0 == result.exit_code, result.output


def test_keys_may_come_from_the_machine(bucket, s3, tmp_path, monkeypatch):
    """As a container gets them: from an address on its own machine."""
    asked = []

    class Credentials(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked.append(self.path)
            body = json.dumps(
                {
                    "AccessKeyId": s3.access_key,
                    "SecretAccessKey": s3.secret_key,
                    "Token": "",
                    "Expiration": "2099-01-01T00:00:00Z",
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Credentials)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        monkeypatch.setenv(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            f"http://127.0.0.1:{server.server_address[1]}/role",
        )
        monkeypatch.setenv("S3_ENDPOINT", s3.endpoint)
        result = aggregate(uploaded(bucket, "ocp-nokeys", tmp_path), tmp_path / "out")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert 0 == result.exit_code, result.output
    assert asked


# --- how many requests -------------------------------------------------------------------------

SOURCES, MONTHS = 1_000, 10


@pytest.fixture
def crowded(bucket, s3, tmp_path):
    """A month of one object per table, among 10,000 partitions of pods and 1,000 of volumes."""
    folder = uploaded(bucket, "ocp-month", tmp_path, one_file=True)
    for table in (PODS, STORAGE):
        (own,) = [key for key in bucket.objects if key.startswith(f"{table}/")]
        for number in range(SOURCES):
            source = f"source={uuid.UUID(int=number)}"
            for month in range(1, (MONTHS if table == PODS else 1) + 1):
                key = f"{table}/{source}/year=2024/month={month:02d}/a.parquet"
                if s3.kind == "versitygw":
                    place = s3.folder / bucket.prefix / key
                    place.parent.mkdir(parents=True, exist_ok=True)
                    os.link(s3.folder / bucket.prefix / own, place)
                else:
                    bucket.put(key, b"PAR1")
    return folder


def logged(s3, bucket, since):
    """Requests to the place, as the server itself has written them down."""
    with s3.access_log.open() as log:
        log.seek(since)
        return [line for line in log if bucket.prefix in line]


def test_one_month_among_ten_thousand_partitions_takes_at_most_fifty_requests(
    bucket, crowded, proxy, s3, tmp_path, home
):
    counts = {}

    def counted(name, action):
        before = len(proxy.requests)
        at = s3.access_log.stat().st_size if s3.access_log.exists() else 0
        outcome = action()
        counts[name] = len(proxy.requests) - before
        if s3.kind == "versitygw":
            assert counts[name] == len(logged(s3, bucket, at))
        return outcome

    result = counted("aggregate", lambda: aggregate(crowded, tmp_path / "out"))
    assert 0 == result.exit_code, result.output
    code, record, _ = counted("run", lambda: run(crowded, home))
    assert (0, "match") == (code, record["verdict"]), record["reason"]
    assert record["rows_compared"] > 0

    # The source has no volumes in this month, but others have.
    (storage,) = [key for key in bucket.objects if key.startswith(STORAGE)]
    bucket.delete(storage)
    code, record, _ = counted("run without volumes", lambda: run(crowded, home))
    assert (0, "match") == (code, record["verdict"]), record["reason"]

    print(counts)  # noqa: T201 - what was counted
    assert all(count <= 50 for count in counts.values()), counts
    assert counts["aggregate"] <= 20, counts


# --- what goes wrong ---------------------------------------------------------------------------


def test_keys_in_a_scenario_are_refused(bucket, s3, keys, tmp_path):
    there = {"access_key": s3.access_key, "secret_key": s3.secret_key}
    result = aggregate(uploaded(bucket, "ocp-nokeys", tmp_path, s3=there), tmp_path / "out")
    assert 2 == result.exit_code
    assert "access_key, secret_key must not stand there" in result.output
    assert s3.secret_key not in result.output


def test_wrong_keys_are_said_in_a_line_and_recorded(bucket, s3, proxy, tmp_path, home, monkeypatch):
    folder = uploaded(bucket, "ocp-nokeys", tmp_path)
    monkeypatch.setenv("S3_SECRET_KEY", "not-the-right-key")
    code, record, output = run(folder, home)
    assert (4, "inconclusive", "unreadable") == (code, record["verdict"], record["cause"])
    assert "" == record["fingerprint"]
    assert "cannot list" in record["reason"]
    assert bucket.prefix in record["reason"]
    assert "not-the-right-key" not in output + json.dumps(record)


@pytest.fixture
def spoiled(bucket, proxy):
    """`spoiled(fault)`: from now on an object is listed, and then fails so; gives its name."""

    def spoil(fault):
        (pods,) = [key for key in bucket.objects if key.startswith(f"{PODS}/")]

        def asked(method, target):
            wanted = pods in target and (fault != CUT or method == "GET")
            return fault if wanted else None

        proxy.fault = asked
        return pods

    return spoil


@pytest.mark.parametrize("mode", ["embedded", "pyarrow"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [(FORBIDDEN, "ACCESS_DENIED"), (GONE, "cannot read"), (CUT, "cannot read")],
)
def test_an_object_that_cannot_be_read_is_named(bucket, spoiled, tmp_path, fault, words, mode):
    """Listed, and then forbidden, gone, or sent by half."""
    asked = request(uploaded(bucket, "ocp-nokeys", tmp_path))
    pods = spoiled(fault)
    with pytest.raises(InputUnreadable, match=words) as raised:
        list(open_path(mode).run(asked))
    assert pods in raised.value.on
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("mode", ["embedded", "pyarrow"])
def test_a_truncated_object_is_named(bucket, proxy, tmp_path, mode):
    asked = request(uploaded(bucket, "ocp-nokeys", tmp_path))
    (pods,) = [key for key in bucket.objects if key.startswith(f"{PODS}/")]
    golden = next((GOLDEN / "ocp-nokeys" / "inputs" / PODS).rglob("*.parquet"))
    bucket.put(pods, golden.read_bytes()[:-100])
    with pytest.raises(InputUnreadable) as raised:
        list(open_path(mode).run(asked))
    assert pods in raised.value.on


@pytest.mark.parametrize("control", ["embedded", "recorded"])
def test_an_object_that_cannot_be_read_leaves_a_record_without_keys(
    bucket, spoiled, s3, tmp_path, home, control
):
    folder = uploaded(bucket, "ocp-nokeys", tmp_path)
    shutil.copytree(GOLDEN / "ocp-nokeys" / "expected", folder / "expected")
    pods = spoiled(FORBIDDEN)
    code, record, output = run(folder, home, "--control", control)
    for side in ("control", "candidate") if control == "embedded" else ("candidate",):
        assert "unreadable" == record[side]["fault"]["cause"]
        assert pods in record[side]["fault"]["message"]
    expected = (4, "inconclusive") if control == "embedded" else (3, "candidate_failed")
    assert expected == (code, record["verdict"])
    kept = json.dumps(record) + output
    kept += "".join(p.read_text() for p in home.rglob("*") if p.suffix in {".html", ".json"})
    assert not [secret for secret in (s3.access_key, s3.secret_key) if secret in kept]


def test_an_object_that_is_replaced_between_the_paths_makes_it_inconclusive(
    bucket, proxy, tmp_path, home, monkeypatch
):
    """Also one that was uploaded a moment before, and has the same size afterwards."""
    folder = uploaded(bucket, "ocp-nokeys", tmp_path)
    (pods,) = [key for key in bucket.objects if key.startswith(f"{PODS}/")]
    content = next((GOLDEN / "ocp-nokeys" / "inputs" / PODS).rglob("*.parquet")).read_bytes()
    bucket.put(pods, content)
    whole = runner._observe

    def observed(side, *arguments, **named):
        if side == "candidate":
            bucket.put(pods, content)
        return whole(side, *arguments, **named)

    monkeypatch.setattr(runner, "_observe", observed)
    code, record, _ = run(folder, home)
    assert (4, "inconclusive", "inputs moved") == (code, record["verdict"], record["cause"])
    assert record["control"]["fault"] is None


@pytest.mark.parametrize("change", ["rewritten", "deleted", "added"])
def test_the_fingerprint_shows_every_change(bucket, proxy, tmp_path, change):
    asked = request(uploaded(bucket, "ocp-nokeys", tmp_path))
    (pods,) = [key for key in bucket.objects if key.startswith(f"{PODS}/")]
    content = next((GOLDEN / "ocp-nokeys" / "inputs" / PODS).rglob("*.parquet")).read_bytes()

    def fingerprint():
        return asked.inputs.fingerprint(asked.provider.inputs, asked.plan.window)

    before = fingerprint()
    assert before == fingerprint()
    if change == "deleted":
        bucket.delete(pods)
    else:
        bucket.put(pods if change == "rewritten" else f"{pods}-2.parquet", content)
    assert before != fingerprint()


def test_a_server_that_stops_is_said_in_a_line_and_soon(bucket, proxy, tmp_path, home, monkeypatch):
    folder = uploaded(bucket, "ocp-nokeys", tmp_path)
    whole = runner._observe

    def observed(side, *arguments, **named):
        if side == "candidate":
            proxy.close()
        return whole(side, *arguments, **named)

    monkeypatch.setattr(runner, "_observe", observed)
    started = time.monotonic()
    code, record, _ = run(folder, home)
    assert (4, "inconclusive", "unreadable") == (code, record["verdict"], record["cause"])
    assert record["control"]["fault"] is None
    assert "unreadable" == record["candidate"]["fault"]["cause"]
    assert bucket.prefix in record["candidate"]["fault"]["message"]
    assert time.monotonic() - started < 60


def test_a_server_that_does_not_answer_is_not_waited_for_by_every_object(
    bucket, proxy, tmp_path, monkeypatch
):
    """Silent at the objects of a month of 28 files a table: one patience, not 28."""
    monkeypatch.setattr("shadowagg.object_store._SILENT_SECONDS", 1.0)
    monkeypatch.setattr("shadowagg.object_store._ATTEMPTS", 1)
    folder = uploaded(bucket, "ocp-month", tmp_path)
    proxy.fault = lambda method, target: HANG if method == "HEAD" else None
    scenario = load_scenario(folder)
    result = aggregate(folder, tmp_path / "out")
    assert 3 == result.exit_code
    assert scenario.inputs().lake.removeprefix("s3://") in result.output
    assert "NETWORK_CONNECTION" in result.output
    assert 0 < sum(method == "HEAD" for method, _ in proxy.requests) < 28
