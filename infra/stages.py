"""What differs between the stages `local`, `dev` and `prod`, and nothing else does."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from shared.errors import ConfigurationError

_LEAST = 2  # SQS event sources take no smaller maximum concurrency


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many dispatchers may run at once.

    `bulk + transactional <= reserved`, so that neither queue can throttle the
    other: a throttled message waits out its visibility and uses up a receive.
    With `reserve` off (an AWS account of ten executions refuses reservations)
    only the two maxima hold.
    """

    reserved: int
    bulk: int
    transactional: int
    reserve: bool = True

    def __post_init__(self) -> None:
        if min(self.bulk, self.transactional) < _LEAST:
            raise ConfigurationError(
                f"dispatcher concurrency: bulk {self.bulk} and transactional "
                f"{self.transactional} must each be {_LEAST} or more"
            )
        if self.bulk + self.transactional > self.reserved:
            raise ConfigurationError(
                f"dispatcher concurrency: bulk {self.bulk} + transactional "
                f"{self.transactional} exceed the reserved {self.reserved}"
            )


@dataclass(frozen=True, slots=True)
class Target:
    """The interpreter and machine that the functions run on.

    `host` means this very interpreter: the local cloud runs functions on it.
    """

    python: str
    machine: str
    host: bool

    @property
    def runtime(self) -> lambda_.Runtime:
        """The Lambda runtime of that Python version.

        Raises:
            ConfigurationError: Lambda has no such runtime.
        """
        name = f"PYTHON_{self.python.replace('.', '_')}"
        runtime = getattr(lambda_.Runtime, name, None)
        if not isinstance(runtime, lambda_.Runtime):
            raise ConfigurationError(
                f"AWS Lambda knows no Python {self.python}: run the CDK app with 3.11 to 3.14"
            )
        return runtime

    @property
    def architecture(self) -> lambda_.Architecture:
        """The Lambda architecture of that machine."""
        if self.machine == "x86_64":
            return lambda_.Architecture.X86_64
        return lambda_.Architecture.ARM_64


@dataclass(frozen=True, slots=True)
class Stage:
    """The parameters of one deployment.

    `event_concurrency` is how many webhooks functions may take SES events at
    once; None leaves it to Lambda. `requests_per_second` and `request_burst`
    throttle each gateway as a whole. `observed` turns on tracing and the SES
    event destination, which the local cloud does not have.
    """

    name: str
    target: Target
    concurrency: Concurrency
    event_concurrency: int | None
    retain: bool
    firewall: bool
    observed: bool
    log_retention: logs.RetentionDays
    requests_per_second: int
    request_burst: int

    @property
    def prefix(self) -> str:
        """Stands before every name: `tidepost-<stage>`."""
        return f"tidepost-{self.name}"

    @property
    def parameter_path(self) -> str:
        """Parent of the SSM parameters."""
        return f"/tidepost/{self.name}"

    @property
    def secret_prefix(self) -> str:
        """Parent of the secrets' names."""
        return f"tidepost/{self.name}"

    @property
    def local(self) -> bool:
        """Whether this is the local cloud."""
        return self.target.host

    @property
    def removal(self) -> RemovalPolicy:
        """What becomes of data when its resource leaves the stack."""
        if not self.retain:
            return RemovalPolicy.DESTROY
        # Not those of a first deployment that failed: they would be in the way of the next.
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

    @property
    def irreplaceable(self) -> RemovalPolicy:
        """The same for what no back-up brings back: kept on AWS in every stage."""
        if self.local:
            return RemovalPolicy.DESTROY
        return RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE


_AWS = Target(python="3.13", machine="aarch64", host=False)


def _host() -> Target:
    machine = "x86_64" if platform.machine().lower() in {"x86_64", "amd64"} else "aarch64"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(python=version, machine=machine, host=True)


def stage_of(name: str, *, reserve: bool = True) -> Stage:
    """The parameters of the stage of that name.

    Raises:
        ConfigurationError: there is no such stage.
    """
    if name == "local":
        return Stage(
            name=name,
            target=_host(),
            concurrency=Concurrency(reserved=4, bulk=2, transactional=2, reserve=reserve),
            event_concurrency=_LEAST,  # each is a process of its own on this one machine
            retain=False,
            firewall=False,
            observed=False,
            log_retention=logs.RetentionDays.ONE_DAY,
            requests_per_second=500,
            request_burst=1000,
        )
    if name == "dev":
        return Stage(
            name=name,
            target=_AWS,
            concurrency=Concurrency(reserved=8, bulk=4, transactional=4, reserve=reserve),
            event_concurrency=None,
            retain=False,
            firewall=False,
            observed=True,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            requests_per_second=50,
            request_burst=100,
        )
    if name == "prod":
        return Stage(
            name=name,
            target=_AWS,
            concurrency=Concurrency(reserved=60, bulk=40, transactional=20, reserve=reserve),
            event_concurrency=None,
            retain=True,
            firewall=True,
            observed=True,
            log_retention=logs.RetentionDays.THREE_MONTHS,
            requests_per_second=500,
            request_burst=1000,
        )
    raise ConfigurationError(f"there is no stage {name!r}: say -c stage=local, dev or prod")
