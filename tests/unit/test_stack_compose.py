"""docker-compose.yml has the services of the stack: it cannot be started here, so it is compared."""

import os
import re
from pathlib import Path

import pytest
import yaml

from shadowagg.testing.stack import configuration
from shadowagg.testing.stack.archive import TRINO_VERSION
from shadowagg.testing.stack.environment import as_exports, variables
from shadowagg.testing.stack.postgres import SETTINGS
from shadowagg.testing.stack.process import Identity
from shadowagg.testing.stack.s3 import REGION, VERSITYGW_VERSION
from shadowagg.testing.stack.stack import DEFAULT_HEAP, SERVICES
from shadowagg.testing.stack.state import Credentials, State

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
ENVIRONMENT = COMPOSE["x-environment"]

RENDERED = configuration.render(
    configuration.TrinoValues(
        etc="/etc/trino",
        var="/data/trino",
        server="/usr/lib/trino",
        lake="/lake",
        trino_port=8080,
        heap=DEFAULT_HEAP,
        postgres_address="postgres:5432",
        postgres_password=ENVIRONMENT["PGPASSWORD"],
        s3_address="s3:7070",
        s3_region=REGION,
        s3_access_key=ENVIRONMENT["S3_ACCESS_KEY"],
        s3_secret_key=ENVIRONMENT["S3_SECRET_KEY"],
    )
)


def test_it_has_the_services_of_the_stack_in_the_same_versions():
    assert set(SERVICES) == set(COMPOSE["services"])
    images = {name: one["image"] for name, one in COMPOSE["services"].items()}
    assert images["trino"].endswith(f":{TRINO_VERSION}")
    assert images["s3"].endswith(f":v{VERSITYGW_VERSION}")


@pytest.mark.parametrize(
    "name",
    ["config.properties", "jvm.config", "catalog/hive.properties", "catalog/postgres.properties"],
)
def test_trino_has_the_stacks_configuration(name):
    mounted = {one["target"]: one["source"] for one in COMPOSE["services"]["trino"]["configs"]}

    content = COMPOSE["configs"][mounted[f"/etc/trino/{name}"]]["content"]
    assert RENDERED[name] == content


def test_postgresql_has_the_stacks_settings():
    """But for the address: in a container it must listen to the others."""
    wanted = {f"-c{name}={value}" for name, value in SETTINGS.items() if name != "listen_addresses"}
    assert wanted == set(COMPOSE["services"]["postgres"]["command"][1:])


def test_the_variables_are_the_stacks():
    us = Identity.of(os.getpid())
    state = State(
        folder=Path(".stack"),
        ports={"trino": 18080, "postgres": 15432, "s3": 17070},
        credentials=Credentials("testpassword", "testkey", "testsecret"),
        heap=DEFAULT_HEAP,
        services=dict.fromkeys(SERVICES, us),
    )
    assert variables(state) == ENVIRONMENT


def test_ports_are_published_on_loopback_only_and_as_the_variables_say():
    inner = {"trino": 8080, "postgres": 5432, "s3": 7070}
    outer = {
        "trino": ENVIRONMENT["TRINO_PORT"],
        "postgres": ENVIRONMENT["PGPORT"],
        "s3": ENVIRONMENT["S3_ENDPOINT"].rpartition(":")[2],
    }
    for name, service in COMPOSE["services"].items():
        assert [f"127.0.0.1:{outer[name]}:{inner[name]}"] == service["ports"]


def test_passwords_are_those_of_the_variables():
    s3 = COMPOSE["services"]["s3"]["environment"]
    assert ENVIRONMENT["S3_ACCESS_KEY"] == s3["ROOT_ACCESS_KEY"]
    assert ENVIRONMENT["S3_SECRET_KEY"] == s3["ROOT_SECRET_KEY"]
    postgres = COMPOSE["services"]["postgres"]["environment"]
    assert ENVIRONMENT["PGPASSWORD"] == postgres["POSTGRES_PASSWORD"]


def test_its_header_says_that_it_is_untried():
    assert "UNTRIED" in (ROOT / "docker-compose.yml").read_text().partition("\nname:")[0]


def test_the_page_has_its_variables_as_exports():
    page = (ROOT / "docs" / "stack.md").read_text()
    assert as_exports(ENVIRONMENT) in page


def test_the_page_has_every_command_option_and_variable():
    from shadowagg.testing.stack.cli import main

    page = (ROOT / "docs" / "stack.md").read_text()
    for name, command in main.commands.items():
        assert f"| `shadowagg-stack {name}`" in page, name
        for parameter in command.params:
            assert parameter.opts[0] in page, parameter.opts
    described = set(re.findall(r"`([A-Z0-9_]+)`", page.partition("## Variables")[2]))
    assert set(ENVIRONMENT) <= described
