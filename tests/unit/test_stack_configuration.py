"""What the stack's servers are told."""

import dataclasses

import pytest

from shadowagg.errors import UserError
from shadowagg.testing.stack.configuration import (
    FILES,
    TrinoValues,
    parse_heap,
    properties,
    render,
    write,
)

VALUES = TrinoValues(
    etc="/stack/etc",
    var="/stack/var",
    server="/server",
    lake="/stack/lake",
    trino_port=18080,
    heap=1500,
    postgres_address="127.0.0.1:15432",
    postgres_password="pg-word",  # noqa: S106 - no secret
    s3_address="127.0.0.1:17070",
    s3_region="us-east-1",
    s3_access_key="key",
    s3_secret_key="s3-word",  # noqa: S106 - no secret
)


def rendered(name, **changes):
    return properties(render(dataclasses.replace(VALUES, **changes))[name])


def test_every_file_is_rendered_and_nothing_is_left_to_fill_in():
    files = render(VALUES)

    assert set(FILES) == set(files)
    assert [] == [name for name, text in files.items() if "$" in text]


def test_the_server_is_one_node_that_listens_on_loopback():
    config = rendered("config.properties")
    assert "18080" == config["http-server.http.port"]
    assert "http://127.0.0.1:18080" == config["discovery.uri"]
    assert "true" == config["coordinator"] == config["node-scheduler.include-coordinator"]
    node = rendered("node.properties")
    assert "127.0.0.1" == node["node.bind-ip"] == node["node.internal-address"]


@pytest.mark.parametrize("heap", [1000, 1500, 2048, 4096, 65536])
def test_a_query_may_take_no_more_than_trino_allows(heap):
    """Above 70 % of the heap Trino refuses to start."""
    memory = rendered("config.properties", heap=heap)["query.max-memory-per-node"]

    assert memory.endswith("MB")
    assert heap * 0.6 < int(memory.removesuffix("MB")) < heap * 0.7
    assert f"-Xmx{heap}M" in render(dataclasses.replace(VALUES, heap=heap))["jvm.config"].split()


def test_the_catalog_hive_reads_one_lake_under_both_names():
    hive = rendered("catalog/hive.properties")
    assert "/stack/lake" == hive["local.location"]
    assert "true" == hive["fs.native-local.enabled"] == hive["fs.native-s3.enabled"]
    assert "http://127.0.0.1:17070" == hive["s3.endpoint"]
    assert "true" == hive["s3.path-style-access"]
    assert {"key", "s3-word"} <= set(hive.values())
    assert "2" == hive["s3.max-error-retries"]


def test_the_catalog_postgres_is_the_database_of_that_name():
    catalog = rendered("catalog/postgres.properties")
    assert "jdbc:postgresql://127.0.0.1:15432/postgres" == catalog["connection-url"]
    assert "pg-word" == catalog["connection-password"]


def test_configuration_with_passwords_is_for_its_owner_alone(tmp_path):
    write(render(VALUES), tmp_path / "etc")

    assert 0o700 == (tmp_path / "etc").stat().st_mode & 0o777
    assert 0o700 == (tmp_path / "etc" / "catalog").stat().st_mode & 0o777
    assert render(VALUES)["jvm.config"] == (tmp_path / "etc" / "jvm.config").read_text()


@pytest.mark.parametrize(("text", "megabytes"), [("1500M", 1500), ("4G", 4096), ("2g", 2048)])
def test_a_heap_is_given_as_java_has_it(text, megabytes):
    assert megabytes == parse_heap(text)


@pytest.mark.parametrize("text", ["", "2", "2T", "-1G", "999M", "1.5G"])
def test_a_heap_that_is_none_or_too_small_is_refused(text):
    with pytest.raises(UserError, match="is no size of at least 1000M"):
        parse_heap(text)
