"""Child processes that leave nothing behind: each leads a process group, and groups are ended.

The emulator's workers survive it when it is terminated. They are in its group,
so ending means: ask the leader, wait a little, then kill the whole group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local.failure import LocalCloudError, with_log

_PATIENCE_S = 5.0
_POLL_S = 0.05
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this process started itself: only it can take them away when they have ended."""


@dataclass(frozen=True, slots=True)
class Leader:
    """A process group by its leader. `started` tells the leader from a later one of that pid."""

    name: str
    pid: int
    started: str

    def to_json(self) -> dict[str, Any]:
        """As kept in the record."""
        return asdict(self)

    def alive(self) -> bool:
        """Whether the leader still runs."""
        return bool(self.started) and started_at(self.pid) == self.started


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own; what it prints goes to the log.

    Raises:
        LocalCloudError: there is no such program.
    """
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise LocalCloudError(
                f"{name} cannot be started ({error}); run `make setup` and try again"
            ) from error
    _children[process.pid] = process
    return process


def run(
    name: str,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    timeout_s: float,
) -> None:
    """Runs a tool to its end.

    Raises:
        LocalCloudError: it failed or took too long; shows the end of its log.
    """
    process = start(name, command, environment=environment, folder=folder, log=log)
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise with_log(f"{name} was not done after {timeout_s:.0f} s.", log) from None
    finally:
        end(leader_of(name, process))
    if code != 0:
        raise with_log(f"{name} failed with exit code {code}.", log)


def leader_of(name: str, process: subprocess.Popen[bytes]) -> Leader:
    """The group that a started process leads."""
    return Leader(name, process.pid, started_at(process.pid))


def end(leader: Leader) -> None:
    """Ends a whole group, the leader first; without effect if it is gone.

    A pid that belongs to another process by now is left alone.
    """
    now = started_at(leader.pid)
    if now and now != leader.started:
        return
    if now:
        _signal(leader.pid, signal.SIGTERM, group=False)
        _wait(lambda: not started_at(leader.pid))
    if _group_exists(leader.pid):
        _signal(leader.pid, signal.SIGTERM, group=True)
        _wait(lambda: not _group_exists(leader.pid), patience_s=1.0)
    if _group_exists(leader.pid):
        _signal(leader.pid, signal.SIGKILL, group=True)
        _wait(lambda: not _group_exists(leader.pid))
    if child := _children.pop(leader.pid, None):
        child.wait(_PATIENCE_S)


def started_at(pid: int) -> str:
    """When the process of that pid started, as the system words it; empty if there is none."""
    if pid in _children and _children[pid].poll() is not None:
        return ""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] == "Z" else fields[19]
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def _group_exists(pid: int) -> bool:
    """Whether a group has a member that is more than a zombie."""
    proc = Path("/proc")
    if not (proc / "self/stat").exists():
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return False
        return True
    for stat in proc.glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended just now
        if fields[2] == str(pid) and fields[0] != "Z":
            return True
    return False


def _signal(pid: int, number: signal.Signals, *, group: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def _wait(done: Any, patience_s: float = _PATIENCE_S) -> None:
    until = time.monotonic() + patience_s
    while not done() and time.monotonic() < until:
        time.sleep(_POLL_S)
