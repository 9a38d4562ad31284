"""What the layout promises: import contracts, purity at import, one clock, small files."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "functions", "infra", "local", "ops")
FUNCTIONS = (
    "aggregator",
    "api",
    "dispatcher",
    "jobs",
    "public",
    "scheduler",
    "warming_cron",
    "webhooks",
)
MAX_LINES = 400
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of ours, by its path from the root."""
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are run when a module is imported: no bodies of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            arguments = child.args
            evaluated = [*arguments.defaults, *(d for d in arguments.kw_defaults if d)]
            evaluated += getattr(child, "decorator_list", [])
            for one in evaluated:
                yield one
                yield from at_import(one)
        elif not _is_main_guard(child):
            yield child
            yield from at_import(child)


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def dotted(nodes: Iterator[ast.AST]) -> set[str]:
    """The names such as `os.environ` among the nodes."""
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}


def test_the_import_contracts_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_no_file_is_longer_than_a_reader_bears() -> None:
    long = {
        path: lines
        for path in sources()
        if (lines := len((ROOT / path).read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


def test_time_comes_from_the_clock_alone() -> None:
    names = {"now", "utcnow", "today"}
    owners = {"datetime", "date", "datetime.datetime", "datetime.date"}
    found = {
        f"{path}:{node.lineno}"
        for path, tree in sources().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and ast.unparse(node.value) in owners
    }
    assert {place.partition(":")[0] for place in found} == {"shared/clock.py"}, found


@pytest.mark.parametrize("bad", ["os.environ", "os.getenv", "boto3.client", "boto3.resource"])
def test_nothing_is_read_or_opened_at_import(bad: str) -> None:
    offenders = [path for path, tree in sources().items() if bad in dotted(at_import(tree))]
    assert offenders == []


def test_the_environment_is_read_by_wiring_alone() -> None:
    readers = {
        path
        for path, tree in sources().items()
        if path.startswith(("shared/", "functions/"))
        and {"os.environ", "os.getenv"} & dotted(ast.walk(tree))
    }
    assert {Path(path).name for path in readers} == {"wiring.py"}, readers


def test_every_function_is_a_handler_and_its_wiring() -> None:
    folders = {
        path.name for path in (ROOT / "functions").iterdir() if (path / "__init__.py").exists()
    }
    assert folders == set(FUNCTIONS)
    for name in FUNCTIONS:
        assert (ROOT / "functions" / name / "handler.py").exists()
        assert (ROOT / "functions" / name / "wiring.py").exists()


def test_the_handlers_can_be_imported_where_there_is_nothing() -> None:
    modules = ", ".join(f"functions.{name}.handler" for name in FUNCTIONS)
    code = f"import boto3, {modules}; assert boto3.DEFAULT_SESSION is None"
    env = {"PATH": os.environ["PATH"], "POWERTOOLS_DEV": "false"}
    done = subprocess.run(  # noqa: S603  # our own interpreter and code
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_checks_themselves_see_what_they_look_for() -> None:
    tree = ast.parse(
        "import os\n"
        "class A:\n    x = os.environ['X']\n"
        "def f(a=boto3.client('s3')):\n    return os.getenv('Y')\n"
    )
    assert {"os.environ", "boto3.client"} <= dotted(at_import(tree))
    assert "os.getenv" not in dotted(at_import(tree))
