"""Secrets are known by their names, at any depth, and masked wherever they stand."""

import pytest

from shadowagg.redaction import redact, secrets_in


@pytest.mark.parametrize(
    "name", ["PGPASSWORD", "secret_key", "S3_ACCESS_KEY", "apikey", "auth_token", "credentials"]
)
def test_a_value_is_secret_by_its_name(name):
    assert secrets_in({name: "hunter22", "bucket": "costs-lake"}) == {"hunter22"}


def test_everything_below_a_secret_name_is_secret():
    document = {"stores": [{"credentials": {"user": "somebody", "codes": ["123456", 1]}}]}
    assert secrets_in(document) == {"somebody", "123456"}


@pytest.mark.parametrize("value", ["true", "", 1, None])
def test_a_short_value_is_no_secret_since_it_stands_in_ordinary_text(value):
    assert secrets_in({"USE_TOKEN": value}) == set()


def test_the_longest_secret_is_masked_first():
    assert redact("hunter22-and-more", {"hunter22", "hunter22-and-more"}) == "***"


def test_a_password_in_an_address_is_masked_without_being_known():
    text = "trino://me:open@sesame@host:8080/hive and http://host:80/a@b"
    assert redact(text) == "trino://me:***@host:8080/hive and http://host:80/a@b"
