"""Where one local cloud keeps its files: all of them below one folder."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.failure import LocalCloudError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder."""


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

    def remove(self, name: str) -> None:
        """Removes a folder that `fresh` made."""
        shutil.rmtree(self.folder / name, ignore_errors=True)

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
