"""The emulator's Lambda workers: which processes they are, whose a connection is, SIGKILL.

They are found below the emulator's process group, which this run started, and
by the function's name in their environment. Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from local.failure import LocalCloudError

_PROC = Path("/proc")
_NAME = b"AWS_LAMBDA_FUNCTION_NAME="
_GROUP = 2  # of the fields of /proc/<pid>/stat after the name
_STATE = 0


class Workers:
    """Worker processes of the emulator that leads the process group `group`.

    `names` maps a deployed function's name to ours, such as `dispatcher`.

    Raises:
        LocalCloudError: the system has no /proc.
    """

    def __init__(self, group: int, names: Mapping[str, str]) -> None:
        if not (_PROC / "self/stat").exists():
            raise LocalCloudError("chaos finds its victims in /proc: run it on Linux")
        self._group = str(group)
        self._names = dict(names)
        self._known: dict[int, str] = {}
        self._at_work: set[int] = set()

    def alive(self) -> dict[int, str]:
        """Every worker's pid and function."""
        found: dict[int, str] = {}
        for stat in _PROC.glob("[0-9]*/stat"):
            pid = int(stat.parent.name)
            try:
                fields = stat.read_text().rpartition(")")[2].split()
                if fields[_GROUP] != self._group or fields[_STATE] == "Z":
                    continue
                name = self._known.get(pid) or self._function(pid)
            except OSError:
                continue  # it ended just now
            if name:
                found[pid] = name
        self._known = found
        return found

    def at_work(self) -> dict[int, str]:
        """Those that have made an AWS call.

        One that dies while it starts makes the emulator end all others of its
        function, those that start included: they would never come up again.
        """
        return {pid: name for pid, name in self.alive().items() if pid in self._at_work}

    def of_connection(self, port: int) -> int | None:
        """The worker at the other end of a connection from that local port."""
        pid = self._at(port)
        if pid is not None:
            self._at_work.add(pid)
        return pid

    def _at(self, port: int) -> int | None:
        wanted = f"0100007F:{port:04X}"
        inode = None
        for line in (_PROC / "net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1] == wanted:
                inode = f"socket:[{fields[9]}]"
                break
        if inode is None:
            return None
        return next((pid for pid in self.alive() if _holds(pid, inode)), None)

    def kill(self, pid: int) -> bool:
        """SIGKILL; False if it is none of ours or gone."""
        if pid not in self.alive():
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    def _function(self, pid: int) -> str | None:
        for entry in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            if entry.startswith(_NAME):
                return self._names.get(entry.removeprefix(_NAME).decode())
        return None


def _holds(pid: int, inode: str) -> bool:
    try:
        return any(str(link.readlink()) == inode for link in (_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return False
