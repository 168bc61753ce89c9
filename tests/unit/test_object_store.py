"""Where keys and addresses of an object store come from, and what is made of them."""

import datetime as dt
import os
import uuid

import pytest
from pyarrow import fs

from shadowagg.candidate.writer import Staging
from shadowagg.control.hive_rows import hive_files
from shadowagg.discovery import registry
from shadowagg.errors import InputUnreadable, UserError
from shadowagg.inputs import FilesEverywhere, Inputs
from shadowagg.object_store import ObjectStore, cannot_read, fetch, read_whole
from shadowagg.window import Window

KEYS = {"S3_ACCESS_KEY": "an-access-key", "S3_SECRET_KEY": "a-secret-key"}


@pytest.fixture(autouse=True)
def only_our_variables(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("S3_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ObjectStore()),
        ({"S3_ENDPOINT": "http://a:1", "AWS_ENDPOINT_URL": "http://b"}, ObjectStore("http://a:1")),
        ({"AWS_ENDPOINT_URL_S3": "c", "AWS_ENDPOINT_URL": "b"}, ObjectStore("c")),
        ({"AWS_REGION": "x", "AWS_DEFAULT_REGION": "y"}, ObjectStore(region="x")),
        (KEYS | {"S3_SESSION_TOKEN": "t"}, ObjectStore("", "", "", *KEYS.values(), "t")),
        ({"S3_SESSION_TOKEN": "of no keys"}, ObjectStore()),
    ],
)
def test_our_names_go_before_the_usual_ones(environment, expected):
    assert expected == ObjectStore.from_environment(environment)


@pytest.mark.parametrize("missing", KEYS)
def test_one_key_without_the_other_is_said(missing):
    one = {name: value for name, value in KEYS.items() if name != missing}
    with pytest.raises(UserError, match=f"{missing} is missing"):
        ObjectStore.from_environment(one)


def test_no_key_is_in_a_representation():
    shown = repr(ObjectStore.from_environment(KEYS))
    assert not [value for value in KEYS.values() if value in shown]


@pytest.mark.parametrize("name", ["access_key", "secret_key", "session_token"])
def test_a_key_in_the_inputs_is_refused_and_not_repeated(name):
    with pytest.raises(UserError, match=name) as raised:
        _ = Inputs(lake="s3://b", side="", s3={name: "hunter22"}).filesystem
    assert "hunter22" not in str(raised.value)


def test_an_option_that_does_not_exist_is_said_in_a_line():
    with pytest.raises(UserError, match="nonsense"):
        ObjectStore().filesystem({"nonsense": 1})


def test_the_bucket_comes_from_the_address_or_the_environment():
    store = ObjectStore(bucket="mine")
    assert "theirs/a/b" == store.path("s3://theirs/a/b/")
    assert "mine/a/b" == store.path("s3:///a/b")
    assert "mine" == store.path("s3://")
    with pytest.raises(UserError, match="S3_BUCKET_NAME"):
        ObjectStore().path("s3:///a")


def test_what_inputs_are_handed_on_as_has_no_key(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    inputs = Inputs(lake="s3://bucket/a", side="side", s3={"region": "eu-west-1"})
    assert isinstance(inputs.filesystem, fs.S3FileSystem)
    assert not [value for value in KEYS.values() if value in str(inputs.to_json())]


def test_inputs_hive_tables_and_staging_lie_in_the_bucket_of_the_environment(monkeypatch):
    for name, value in (KEYS | {"S3_BUCKET_NAME": "mine", "S3_REGION": "eu-west-1"}).items():
        monkeypatch.setenv(name, value)
    provider = registry().provider("ocp")
    (spec, *_) = (stage.spec for stage in provider.stages if stage.spec.home == "hive")
    inputs = Inputs(lake="s3:///lake", side="")
    window = Window("org1", "ocp", str(uuid.uuid4()), dt.date(2025, 8, 1), dt.date(2025, 8, 2))
    files = hive_files(spec, window, "org1", inputs, "s3:///warehouse/{schema}/{table}")
    staging = Staging("s3:///warehouse/org1/")

    assert "mine/lake" == inputs.root
    assert f"mine/warehouse/org1/{spec.table}" == files.folder
    assert "mine/warehouse/org1/a/b" == staging.path("a/b")
    for filesystem in (inputs.filesystem, files.filesystem, staging.filesystem):
        assert "eu-west-1" == filesystem.region
    with pytest.raises(UserError, match="secret_key must not stand there"):
        _ = Staging("s3://warehouse", {"secret_key": "a-secret-key"}).filesystem


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_fetch_copies_whatever_size(tmp_path, size, monkeypatch):
    monkeypatch.setattr("shadowagg.object_store._AT_ONCE", 1 << 20)
    content = os.urandom(size)
    (tmp_path / "object").write_bytes(content)
    fetch(fs.LocalFileSystem(), str(tmp_path / "object"), tmp_path / "copy")
    assert content == (tmp_path / "copy").read_bytes()
    assert content == read_whole(fs.LocalFileSystem(), str(tmp_path / "object")).to_pybytes()


def test_fetch_names_an_object_that_is_gone_and_not_a_full_disk(tmp_path):
    with pytest.raises(InputUnreadable, match="gone"):
        fetch(fs.LocalFileSystem(), str(tmp_path / "gone"), tmp_path / "copy")
    (tmp_path / "object").write_bytes(b"x")
    with pytest.raises(OSError) as raised:
        fetch(fs.LocalFileSystem(), str(tmp_path / "object"), tmp_path / "no" / "copy")
    assert not isinstance(raised.value, InputUnreadable)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("AWS Error ACCESS_DENIED during HeadObject", "the key may not read it"),
        ("AWS Error NETWORK_CONNECTION during\nListObjectsV2", "S3_ENDPOINT"),
        ("Parquet magic bytes not found", "truncated"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_a_hint(reason, hint):
    error = cannot_read(OSError(reason), "bucket/key")
    assert "bucket/key" == error.on
    assert "\n" not in str(error)
    assert hint in error.hint


def test_files_everywhere_are_looked_for_once_and_as_far_as_asked():
    asked = []

    def found():
        for number in range(3):
            asked.append(number)
            yield number

    files = FilesEverywhere(found())
    assert 0 == next(iter(files))
    assert [0] == asked
    assert [0, 1, 2] == list(files) == list(files)
    assert [0, 1, 2] == asked


@pytest.mark.parametrize(
    ("later", "waited"), [(0.0, [1.0]), (0.75, [0.25]), (1.0, []), (60.0, []), (-2.0, [])]
)
def test_a_store_that_tells_seconds_is_read_when_that_of_the_last_change_is_over(
    tmp_path, monkeypatch, later, waited
):
    """Else a change within the same second would not show; a clock that is far off is not waited for."""
    provider = registry().provider("ocp")
    table = next(table for table in provider.inputs if table.home == "lake")
    source, second = str(uuid.uuid4()), 1_750_000_000
    window = Window("org1", "ocp", source, dt.date(2025, 8, 1), dt.date(2025, 8, 2))
    month = tmp_path / table.name / f"source={source}" / "year=2025" / "month=08"
    month.mkdir(parents=True)
    for name, changed in (("a", second - 100), ("b", second)):
        (month / f"{name}.parquet").write_bytes(b"PAR1")
        os.utime(month / f"{name}.parquet", (changed, changed))
    monkeypatch.setattr(Inputs, "remote", True)
    slept = []
    monkeypatch.setattr("shadowagg.inputs.time.time", lambda: second + later)
    monkeypatch.setattr("shadowagg.inputs.time.sleep", slept.append)

    Inputs(lake=str(tmp_path), side="").fingerprint([table], window)

    assert waited == slept
