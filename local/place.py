"""Where one local cloud keeps its files: all of them below one folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.failure import LocalCloudError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - our folder in it has a name of its own and mode 0700
_ROOMY = 8 * 2**30
"""Bytes that must be free in memory before the emulator's scratch files go there."""


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one local cloud. Two clouds at once need two places."""

    folder: Path

    @property
    def endpoints(self) -> Path:
        """`endpoints.json`: there while the cloud is up."""
        return self.folder / "endpoints.json"

    @property
    def record(self) -> Path:
        """Which processes run, for `make down`."""
        return self.folder / "cloud.json"

    @property
    def providers(self) -> Path:
        """The providers.json that is deployed unless another is named."""
        return self.folder / "providers.json"

    @property
    def sandbox(self) -> Path:
        """The ESP sandbox's keys."""
        return self.folder / "sandbox"

    @property
    def cdk_out(self) -> Path:
        """What CDK synthesises; kept, since the bundled layer in it is used again."""
        return self.folder / "cdk.out"

    def log(self, name: str) -> Path:
        """The log of a process or tool."""
        return self.folder / f"{name}.log"

    def fresh(self, name: str) -> Path:
        """An empty folder of that name."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def fresh_scratch(self) -> Path:
        """An empty folder for the emulator, in memory where there is plenty.

        Each of its workers unpacks 60 MB in 2,600 files. On a disk it can take
        minutes to remove them again.
        """
        self.remove_scratch()
        folder = self._in_memory if _memory_free() >= _ROOMY else self._on_disk
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def remove_scratch(self) -> None:
        """Removes it, wherever it is."""
        shutil.rmtree(self._in_memory, ignore_errors=True)
        shutil.rmtree(self._on_disk, ignore_errors=True)

    @property
    def _in_memory(self) -> Path:
        name = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:12]
        return _MEMORY / f"tidepost-{name}"

    @property
    def _on_disk(self) -> Path:
        return self.folder / "tmp"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps every other command away from this place.

        Raises:
            LocalCloudError: another command is at work here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise LocalCloudError(
                    f"another command is at work in {self.folder} (process {lock.read().strip()});"
                    " wait until it is done, or stop it with Ctrl-C"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield


def _memory_free() -> int:
    """Bytes that both the memory and the file system in it have to spare; 0 if there is none."""
    try:
        pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return min(pages, shutil.disk_usage(_MEMORY).free)
    except (OSError, ValueError):
        return 0
