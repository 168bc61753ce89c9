"""The object store that a lake may lie in: S3, with keys from the environment and bounded patience.

Keys are read where a connection is made, and nowhere else: a fenced process inherits the environment,
so none is ever in a scenario, a request, a record or an argument.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from shadowagg.errors import InputUnreadable, UserError
from shadowagg.redaction import secrets_in

__all__ = ["ObjectStore", "cannot_read", "fetch", "fragment", "read_whole"]

_CONNECT_SECONDS = 5.0
_SILENT_SECONDS = 10.0
"""How long a server may send nothing; while it sends, it may take its time."""
_ATTEMPTS = 3

_AT_ONCE = 32 << 20
"""Bytes of a large object that are asked for, and held, at once."""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """`S3_ENDPOINT`, `S3_REGION`, `S3_BUCKET_NAME`, `S3_ACCESS_KEY`, `S3_SECRET_KEY`, `S3_SESSION_TOKEN`.

    Where they say nothing the usual names are asked: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`,
    `AWS_REGION`, `AWS_DEFAULT_REGION` here; keys, profiles, container and instance by its library.

    Args:
        endpoint: address of the service, with or without `http://`; empty for Amazon's own.
        region: empty for what the library thinks.
        bucket: for an address that names none.
        access_key: empty for what the library finds (`AWS_ACCESS_KEY_ID`, profile, machine's role).
        secret_key: to the access key.
        session_token: to temporary keys.
    """

    endpoint: str = ""
    region: str = ""
    bucket: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ObjectStore:
        """What the environment names.

        Raises:
            UserError: for one key of a pair without the other.
        """

        def first(*names: str) -> str:
            return next((environment[name] for name in names if environment.get(name)), "")

        access, secret = first("S3_ACCESS_KEY"), first("S3_SECRET_KEY")
        if bool(access) != bool(secret):
            raise UserError(
                f"{'S3_SECRET_KEY' if access else 'S3_ACCESS_KEY'} is missing",
                on="environment",
                hint="set both, or neither to use AWS_ACCESS_KEY_ID or the machine's role",
            )
        return cls(
            endpoint=first("S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
            region=first("S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
            bucket=first("S3_BUCKET_NAME"),
            access_key=access,
            secret_key=secret,
            session_token=first("S3_SESSION_TOKEN") if access else "",
        )

    def path(self, address: str) -> str:
        """`s3://bucket/prefix` as Arrow's path; `s3:///prefix` lies in the environment's bucket.

        Raises:
            UserError: if neither names a bucket.
        """
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        bucket = bucket or self.bucket
        if not bucket:
            raise UserError("no bucket is named", on=address, hint="set S3_BUCKET_NAME")
        return f"{bucket}/{prefix}".rstrip("/")

    def filesystem(self, options: Mapping[str, Any]) -> fs.S3FileSystem:
        """The bucket's file system; no request is made.

        Args:
            options: of `pyarrow.fs.S3FileSystem`, before what the environment says.

        Raises:
            UserError: for an option that does not exist, or is a secret.
        """
        secrets = [name for name in options if secrets_in({name: "a secret"})]
        if secrets:
            raise UserError(
                f"{', '.join(secrets)} must not stand there",
                on="inputs_at.s3",
                hint="leave keys to the environment: S3_ACCESS_KEY, S3_SECRET_KEY, or AWS_ACCESS_KEY_ID",
            )
        wanted: dict[str, Any] = {
            "connect_timeout": _CONNECT_SECONDS,
            "request_timeout": _SILENT_SECONDS,
            "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        }
        if self.region:
            wanted["region"] = self.region
        if self.endpoint:
            wanted["endpoint_override"] = self.endpoint
        if self.access_key:
            wanted |= {"access_key": self.access_key, "secret_key": self.secret_key}
        if self.session_token:
            wanted["session_token"] = self.session_token
        if options.get("anonymous"):
            for name in ("access_key", "secret_key", "session_token"):
                wanted.pop(name, None)
        wanted |= options
        scheme, found, address = str(wanted.get("endpoint_override") or "").partition("://")
        if found:
            wanted |= {"scheme": scheme, "endpoint_override": address.rstrip("/")}
            wanted.setdefault("region", "us-east-1")  # a server of one's own hardly has another
        try:
            return fs.S3FileSystem(**wanted)
        except (TypeError, ValueError, pa.ArrowException) as error:
            raise UserError(
                f"cannot be reached so: {error}",
                on="object store",
                hint="see `inputs_at.s3` in docs/scenarios.md, and S3_ENDPOINT",
            ) from None


def cannot_read(error: Exception, path: str, *, doing: str = "read") -> InputUnreadable:
    """An object, or a folder, that could not be read, in one line that names it."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputUnreadable(f"cannot {doing}: {reason}", on=path, hint=_hint(reason))


def _hint(reason: str) -> str:
    if "ACCESS_DENIED" in reason or "HTTP response code 403" in reason or "SIGNATURE" in reason:
        return "the key may not read it, or is wrong"
    if "NETWORK_CONNECTION" in reason:
        return "the server is down, slow or not there; check S3_ENDPOINT"
    return "the object is truncated, gone or forbidden; have it written again"


def read_whole(filesystem: fs.FileSystem, path: str) -> pa.Buffer:
    """An object's bytes, by one look at its size and one request.

    Raises:
        OSError: as the file system raises it, or if fewer bytes came than there should be.
    """
    with filesystem.open_input_file(path) as stream:
        return _whole(stream, stream.size())


def fragment(filesystem: fs.FileSystem, path: str, size: int) -> Any:
    """A Parquet object of known size: its footer is one request, as nobody has to ask for the size."""
    import pyarrow.dataset as ds  # only where an object is really looked at

    return ds.ParquetFileFormat().make_fragment(path, filesystem=filesystem, file_size=size)


def _whole(stream: pa.NativeFile, size: int) -> pa.Buffer:
    content = stream.read_buffer(size)
    if content.size != size:
        raise OSError(f"{content.size} of {size} bytes came")
    return content


def fetch(filesystem: fs.FileSystem, path: str, target: Path) -> None:
    """Copy an object into a file, without holding all of it.

    Raises:
        InputUnreadable: naming the object.
        OSError: if the file cannot be written.
    """
    with target.open("wb") as copy:
        offset = 0
        try:
            stream = filesystem.open_input_file(path)
            size = stream.size()
        except (OSError, pa.ArrowException) as error:
            raise cannot_read(error, path) from error
        with stream:
            while offset < size:
                try:
                    part = _whole(stream, min(_AT_ONCE, size - offset))
                except (OSError, pa.ArrowException) as error:
                    raise cannot_read(error, path) from error
                copy.write(part)
                offset += part.size
