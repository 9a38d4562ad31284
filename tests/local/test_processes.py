"""Nothing is left behind, and nobody else's process is touched."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local import processes
from local.failure import LocalCloudError

# A leader that ends at SIGTERM and leaves a worker behind that ignores it.
STUBBORN = """
import signal, subprocess, sys, time
worker = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", worker], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""  # noqa: E501 - a program in a text


def started(tmp_path: Path, program: str) -> processes.Leader:
    process = processes.start(
        "it",
        [sys.executable, "-c", program],
        environment=os.environ,
        folder=tmp_path,
        log=tmp_path / "log",
    )
    return processes.leader_of("it", process)


def worker_of(tmp_path: Path) -> int:
    text = ""
    while not text.endswith("\n"):
        text = (tmp_path / "log").read_text()
    return int(text)


def test_orphans_that_ignore_the_signal_are_ended_too(tmp_path: Path) -> None:
    leader = started(tmp_path, STUBBORN)
    worker = worker_of(tmp_path)
    assert leader.alive()
    assert processes.started_at(worker)
    processes.end(leader)
    assert not leader.alive()
    assert not processes.started_at(worker)
    processes.end(leader)


def test_a_pid_that_somebody_else_has_by_now_is_left_alone(tmp_path: Path) -> None:
    leader = started(tmp_path, "import time; time.sleep(60)")
    processes.end(replace(leader, started="another time"))
    assert leader.alive()
    processes.end(leader)
    assert not leader.alive()


def test_a_tool_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="exit code 3") as failed:
        processes.run(
            "the tool",
            [sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"],
            environment=os.environ,
            folder=tmp_path,
            log=tmp_path / "log",
            timeout_s=60,
        )
    assert "what went wrong" in str(failed.value)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalCloudError, match="make setup"):
        processes.start(
            "it", [tmp_path / "none"], environment={}, folder=tmp_path, log=tmp_path / "log"
        )
