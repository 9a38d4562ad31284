"""Deploys the stack to the emulator with the CDK CLI, as `cdk deploy` does on AWS."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from local import processes
from local.aws import ACCOUNT, REGION, tool_environment
from local.failure import LocalCloudError
from local.place import ROOT, Place
from local.servers import Server

STAGE = "local"
STACK = f"tidepost-{STAGE}"
_CLI = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
_NODE = ROOT / ".local" / "node" / "bin"
_BOOTSTRAP_S, _DEPLOY_S = 120.0, 600.0


@dataclass(frozen=True, slots=True)
class Deployed:
    """The stack's outputs, with URLs that work without DNS."""

    aws_url: str
    outputs: dict[str, str]

    @property
    def api_url(self) -> str:
        """The REST API: `/v1/...` and `/docs` stand below it."""
        return f"{self.aws_url}/_aws/execute-api/{self.outputs['ApiId']}/{STAGE}"

    @property
    def webhooks_url(self) -> str:
        """The webhooks' HTTP API: `/webhooks/{provider}` stands below it."""
        return f"{self.aws_url}/_aws/execute-api/{self.outputs['WebhooksApiId']}"

    @property
    def public_url(self) -> str:
        """The public pages' HTTP API: `/u/{token}` stands below it."""
        return f"{self.aws_url}/_aws/execute-api/{self.outputs['PublicApiId']}"


def bootstrap(place: Place, emulator: Server) -> None:
    """`cdk bootstrap`, from an empty folder: in the app's own it would synthesise the app.

    Raises:
        LocalCloudError: the CDK CLI or Node is missing, or the command failed.
    """
    folder = place.fresh("empty")
    try:
        processes.run(
            "cdk bootstrap",
            [*_cdk(), "bootstrap", f"aws://{ACCOUNT}/{REGION}"],
            environment=_environment(emulator.url),
            folder=folder,
            log=place.log("bootstrap"),
            timeout_s=_BOOTSTRAP_S,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def deploy(place: Place, emulator: Server, providers: Path, *, auth: bool = False) -> Deployed:
    """`cdk deploy`, stage local.

    Raises:
        LocalCloudError: the command failed; shows the end of its log.
    """
    answers = place.folder / "outputs.json"
    answers.unlink(missing_ok=True)
    context = {"stage": STAGE, "providers": str(providers)}
    if auth:
        context["cli_credentials"] = "yes"
    command: list[str | Path] = [*_cdk(), "deploy", STACK, "--require-approval", "never"]
    command += ["--app", f"{sys.executable} -m infra.app", "--output", place.cdk_out]
    command += ["--outputs-file", answers, "--progress", "events"]
    for name, value in context.items():
        command += ["--context", f"{name}={value}"]
    processes.run(
        "cdk deploy",
        command,
        environment=_environment(emulator.url),
        folder=ROOT,
        log=place.log("deploy"),
        timeout_s=_DEPLOY_S,
    )
    return Deployed(emulator.url, json.loads(answers.read_text())[STACK])


def _cdk() -> list[str | Path]:
    node = shutil.which("node", path=_path())
    if node is None:
        raise LocalCloudError("Node is not installed: run `make setup`, which fetches it from PyPI")
    if not _CLI.exists():
        raise LocalCloudError("the CDK CLI is not installed: run `make setup`")
    return [node, _CLI, "--no-notices", "--no-color"]


def _path() -> str:
    """Our own Node, where `make setup` had to fetch one, goes before the machine's."""
    return os.pathsep.join([str(_NODE), os.environ.get("PATH", os.defpath)])


def _environment(url: str) -> dict[str, str]:
    return tool_environment(url) | {
        "PATH": _path(),
        "CDK_DISABLE_CLI_TELEMETRY": "1",
        "CDK_DISABLE_VERSION_CHECK": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
