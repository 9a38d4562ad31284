"""Bundling, and what all functions have in common. No other file knows how code is packed.

Two kinds of asset. A function's own holds `functions/__init__.py`, its folder
and `shared`, copied as they are: a change in one function changes one hash. The
layer holds the packages of requirements/runtime.txt, installed by uv for the
machine that the functions run on; Docker is never asked for.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import jsii
from aws_cdk import (
    AssetHashType,
    BundlingOptions,
    DockerImage,
    Duration,
    IgnoreMode,
    ILocalBundling,
    Stack,
)
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import grants
from infra.limits import Limits
from infra.nag import acknowledge
from infra.roles import FunctionRole, Resources
from infra.stages import Stage, Target
from shared.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
_REQUIREMENTS = ROOT / "requirements" / "runtime.txt"
_INSTALL_TIMEOUT_S = 600
# The Lambda runtime brings boto3 and what boto3 needs. urllib3 is not among
# these: requests, which postmarker uses, needs it as well.
_IN_RUNTIME = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "python-dateutil", "six"})
_PLATFORM = {"aarch64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
_QUEUE_VARIABLES = {
    "bulk": "TIDEPOST_BULK_QUEUE_URL",
    "transactional": "TIDEPOST_TRANSACTIONAL_QUEUE_URL",
    "jobs": "TIDEPOST_JOBS_QUEUE_URL",
}


def layer_requirements(text: str) -> str:
    """The pinned requirements without what the Lambda runtime has already.

    Args:
        text: a compiled requirements file: a package a line, its hashes and
            comments indented below it.
    """
    kept: list[str] = []
    keep = False
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            keep = line.split("==")[0].strip() not in _IN_RUNTIME
        if keep:
            kept.append(line)
    return "\n".join(kept) + "\n"


@jsii.implements(ILocalBundling)
class _Installer:
    """Fills the layer with uv."""

    def __init__(self, requirements: str, target: Target) -> None:
        self._requirements = requirements
        self._target = target

    @property
    def _flags(self) -> list[str]:
        if self._target.host:
            return ["--python", sys.executable]
        return [
            *("--python-platform", _PLATFORM[self._target.machine]),
            *("--python-version", self._target.python),
            *("--only-binary", ":all:"),
        ]

    @property
    def asset_hash(self) -> str:
        """Of all that decides what the layer holds."""
        parts = [self._requirements, self._target.machine, self._target.python]
        parts += [flag for flag in self._flags if flag != sys.executable]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def try_bundle(self, output_dir: str, *_options: object, **_more: object) -> bool:
        """Called by CDK when the layer is not in cdk.out yet."""
        packages = Path(output_dir) / "python"
        with tempfile.TemporaryDirectory() as folder:
            requirements = Path(folder) / "requirements.txt"
            requirements.write_text(self._requirements)
            command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
            command += ["--require-hashes", *self._flags]
            command += ["--target", str(packages), "--requirements", str(requirements)]
            done = subprocess.run(  # noqa: S603 - our own arguments, no shell
                command, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False
            )
        if done.returncode != 0:
            raise ConfigurationError(
                f"the Lambda layer could not be built, uv said: {done.stderr.strip()}"
            )
        _strip(packages)
        return True


def _strip(packages: Path) -> None:
    """Drops what no function reads: tests, scripts, byte code of another interpreter."""
    for pattern in ("**/__pycache__", "*/tests", "test", "bin"):
        for folder in sorted(packages.glob(pattern)):
            shutil.rmtree(folder, ignore_errors=True)
    for pattern in ("*.dist-info/RECORD", ".lock"):
        for file in packages.glob(pattern):
            file.unlink()


class PackageLayer(lambda_.LayerVersion):
    """The third-party packages of all functions."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(
            scope,
            construct_id,
            layer_version_name=f"{stage.prefix}-packages",
            code=_layer_code(scope, stage.target),
            compatible_runtimes=[stage.target.runtime],
            compatible_architectures=[stage.target.architecture],
        )


def _layer_code(scope: Construct, target: Target) -> lambda_.Code:
    folder = str(_REQUIREMENTS.parent)
    if not Stack.of(scope).bundling_required:
        # `cdk bootstrap` and the like synthesise without bundling. Under the hash
        # of the real layer the empty result would stay in cdk.out and be deployed.
        return lambda_.Code.from_asset(folder)
    installer = _Installer(layer_requirements(_REQUIREMENTS.read_text()), target)
    return lambda_.Code.from_asset(
        folder,
        asset_hash=installer.asset_hash,
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=installer),
    )


def function_code(name: str) -> lambda_.Code:
    """The function's folder and `shared`, nothing else of the project."""
    return lambda_.Code.from_asset(
        str(ROOT),
        ignore_mode=IgnoreMode.GIT,
        exclude=[
            "/*",
            "!/shared",
            "!/functions",
            "/functions/*",
            "!/functions/__init__.py",
            f"!/functions/{name}",
            "__pycache__",
            "*.pyc",
        ],
    )


class PythonFunction(Construct):
    """A function of functions/, with its role, its log group and its settings."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        limits: Limits,
        resources: Resources,
        layer: lambda_.ILayerVersion,
        reserved_concurrency: int | None = None,
        retry_attempts: int | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        stage = resources.stage
        full_name = f"{stage.prefix}-{name.replace('_', '-')}"
        self.name = name
        log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{full_name}",
            retention=stage.log_retention,
            removal_policy=stage.removal,
        )
        role = FunctionRole(self, "Role", name=name, resources=resources, log_group=log_group)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=full_name,
            description=f"functions/{name}",
            runtime=stage.target.runtime,
            architecture=stage.target.architecture,
            handler=f"functions.{name}.handler.handler",
            code=function_code(name),
            layers=[layer],
            # Without `without_policy_updates` CDK would add actions to the policy
            # that infra/grants.py does not name.
            role=role.without_policy_updates(),
            log_group=log_group,
            timeout=Duration.seconds(limits.seconds),
            memory_size=limits.megabytes,
            tracing=lambda_.Tracing.ACTIVE if stage.observed else lambda_.Tracing.DISABLED,
            reserved_concurrent_executions=reserved_concurrency,
            retry_attempts=retry_attempts,
            environment={**_environment(name, resources)},
        )
        self.function.node.add_dependency(role)
        acknowledge(
            self.function,
            {
                "AwsSolutions-L1": "The runtime is the one that requirements/runtime.txt is "
                "tested on."
            },
        )


def _environment(name: str, resources: Resources) -> Mapping[str, str]:
    stage = resources.stage
    variables = {
        "TIDEPOST_STAGE": stage.name,
        "TIDEPOST_TABLE_PREFIX": stage.prefix,
        "TIDEPOST_PARAMETER_PATH": stage.parameter_path,
        "TIDEPOST_SECRET_PREFIX": stage.secret_prefix,
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_METRICS_NAMESPACE": "Tidepost",
        "LOG_LEVEL": "INFO",
    }
    for queue in grants.SENDS.get(name, ()):
        variables[_QUEUE_VARIABLES[queue]] = resources.queues.by_name[queue].queue_url
    if name in (*grants.FILES, *grants.MESSAGE_FILES):
        variables["TIDEPOST_FILES_BUCKET"] = resources.files.bucket.bucket_name
    return variables
