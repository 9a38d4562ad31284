"""Starting the two servers of the local cloud: the AWS emulator and the ESP sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import processes
from local.failure import with_log
from local.place import ROOT, Place
from local.ports import free_port
from local.processes import Leader

EMULATOR_PORT, SANDBOX_PORT, DNS_PORT = 4600, 4610, 4611
_EMULATOR = ROOT / ".local" / "ministack" / "bin" / "ministack"
_READY_S = 30.0
_LANGUAGE = ("LANG", "LC_ALL", "LC_CTYPE")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs and answers."""

    leader: Leader
    url: str


@dataclass(frozen=True, slots=True)
class SandboxServer(Server):
    """The ESP sandbox. `identity` is the content of its identity.json."""

    dns: str
    identity: dict[str, Any]


def start_emulator(place: Place, *, auth: bool = False) -> Server:
    """Starts ministack with nothing of this process's environment but language and path.

    With `auth` the functions run as their roles, and what a role lacks is denied.

    Raises:
        LocalCloudError: it is not installed, or does not come up.
    """
    port = free_port(EMULATOR_PORT)
    temporary = place.fresh_scratch()
    environment = {name: os.environ[name] for name in _LANGUAGE if name in os.environ} | {
        "PATH": os.defpath,
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "AUTH": str(auth).lower(),
        # Its own default of 5 minutes would make the functions cold between two looks at them.
        "LAMBDA_WARM_TTL_SECONDS": "3600",
    }
    log = place.log("emulator")
    process = processes.start(
        "the AWS emulator", [_EMULATOR], environment=environment, folder=temporary, log=log
    )
    server = Server(processes.leader_of("the AWS emulator", process), f"http://127.0.0.1:{port}")
    _await(server, process, f"{server.url}/_ministack/health", log)
    return server


def start_sandbox(place: Place) -> SandboxServer:
    """Starts the ESP sandbox.

    Raises:
        LocalCloudError: it does not come up.
    """
    port, dns_port = free_port(SANDBOX_PORT), free_port(DNS_PORT, udp=True)
    log = place.log("sandbox")
    command: list[str | Path] = [sys.executable, "-m", "local.sandbox"]
    command += ["--port", str(port), "--dns-port", str(dns_port), "--state-dir", place.sandbox]
    process = processes.start(
        "the ESP sandbox",
        command,
        environment={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
        folder=ROOT,
        log=log,
    )
    server = Server(processes.leader_of("the ESP sandbox", process), f"http://127.0.0.1:{port}")
    _await(server, process, f"{server.url}/_sandbox/stats", log)
    identity = json.loads((place.sandbox / "identity.json").read_text())
    return SandboxServer(server.leader, server.url, f"127.0.0.1:{dns_port}", identity)


def _await(server: Server, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Returns when the server answers; ends it if it does not in time."""
    until = time.monotonic() + _READY_S
    answers = False
    try:
        while not answers and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
            answers = _answers(url)
    finally:
        if not answers:
            processes.end(server.leader)
    if process.poll() is not None and answers:
        answers = False  # somebody else answers on that port
    if not answers:
        raise with_log(f"{server.leader.name} did not come up.", log)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own http URL
            return True
    except (urllib.error.URLError, OSError):
        return False
