"""Turns a cloud that is up into the scene of a run: proxies, gates, shorter times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from chaos.aws_proxy import AwsProxy
from chaos.exposure import Exposure
from chaos.faults import FUNCTIONS, Dice, Tally
from chaos.gate import Gate
from chaos.interference import Interference
from chaos.judge import Limit
from chaos.workers import Workers
from local.aws import client
from local.client import ApiError
from local.cloud import Cloud
from local.deploy import STAGE, Deployed
from local.failure import Busy, LocalCloudError
from local.place import Place
from local.providers import sandbox_providers
from local.servers import SandboxServer
from shared.clock import to_iso

DISPATCHER_S = 40
"""The dispatcher's time-out in a run. What it leases and how long it may be late follow from it."""

SETTLE_S = 60
"""After so long silence settles a doubt. Events of a run come within seconds."""

_READ_S = 4
"""How long a run's providers are waited for."""

PASSING = (Busy, ApiError, BotoCoreError, ClientError)
"""What the product, or the emulator, was hit so hard that it answers with, or not at all."""

_VISIBILITY_S = {"BulkQueueUrl": 90, "JobsQueueUrl": 5, "SesEventsQueueUrl": 10}
_LOST = "chaos-lost"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a run works with."""

    cloud: Cloud
    interference: Interference
    exposure: Exposure
    workers: Workers
    gates: dict[str, Gate]
    tally: Tally
    dice: Dice

    def aws(self, service: str) -> Any:
        """A client of the emulator itself, past the proxies."""
        return client(service, self.cloud.deployed.aws_url, attempts=1)

    def output(self, name: str) -> str:
        """One of the stack's outputs."""
        return self.cloud.deployed.outputs[name]

    def hasten(self) -> int:
        """Makes every look that is booked for later due now; how many there were.

        A look may come at any time, so an early one is no more than a fault. It
        spares a run the minutes that lie between the looks.
        """
        table = f"tidepost-{STAGE}-due"
        dynamodb, now, moved = self.aws("dynamodb"), to_iso(datetime.now(UTC)), 0
        for item in dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]:
            at, _, rest = item["sk"]["S"].partition("#")
            if at > now:
                soon = {**item, "sk": {"S": f"{now}#{rest}"}}
                dynamodb.put_item(TableName=table, Item=soon)
                key = {"pk": item["pk"], "sk": item["sk"]}
                dynamodb.delete_item(TableName=table, Key=key)
                moved += 1
        return moved

    def show_again_after(self, seconds: int) -> None:
        """Sets the visibility time-out of the bulk queue for messages received from now on."""
        attributes = {"VisibilityTimeout": str(seconds)}
        self.aws("sqs").set_queue_attributes(
            QueueUrl=self.output("BulkQueueUrl"), Attributes=attributes
        )

    def received(self) -> int:
        """Messages of the bulk queue that were received and not deleted."""
        name = "ApproximateNumberOfMessagesNotVisible"
        found = self.aws("sqs").get_queue_attributes(
            QueueUrl=self.output("BulkQueueUrl"), AttributeNames=[name]
        )
        return int(found["Attributes"][name])

    @property
    def visibility_s(self) -> int:
        """The bulk queue's own."""
        return _VISIBILITY_S["BulkQueueUrl"]


class Stagehand:
    """Sets the scene while the cloud comes up: see `local.cloud.running`.

    Before DynamoDB and SQS stand proxies, before the ESPs gates, and what is
    waited for in minutes is waited for in seconds.
    """

    def __init__(self, place: Place, limits: Mapping[str, Limit], seed: int) -> None:
        self.dice = Dice(seed)
        self.tally = Tally()
        self.interference = Interference(self.dice, self.tally)
        self.exposure = Exposure()
        self._place = place
        self._limits = limits
        self._gates: dict[str, Gate] = {}
        self._proxy: AwsProxy | None = None
        self._workers: Workers | None = None

    def providers(self, sandbox: SandboxServer) -> dict[str, Any]:
        """The providers.json of a run: through the gates, with limits and short time-outs."""
        document = sandbox_providers(sandbox)
        port = urlsplit(sandbox.url).port or 0
        for provider in document["providers"]:
            gate = self._gates[provider["name"]] = Gate(port)
            gate.start()
            limit = self._limits[provider["name"]]
            provider["base_url"] = f"http://127.0.0.1:{gate.port}/{provider['kind']}"
            provider["read_timeout_s"] = _READ_S
            provider["connect_timeout_s"] = 1
            named = {"per_second": limit.per_second, "per_hour": limit.per_hour}
            provider["limits"] = {k: v for k, v in named.items() if v is not None}
        return document

    def rewire(self, deployed: Deployed) -> None:
        """Points the functions at the proxies, and shortens times."""
        names = {
            name: _short(output)
            for output, name in deployed.outputs.items()
            if output.endswith("Function")
        }
        record = json.loads(self._place.record.read_text())
        emulator = next(one for one in record["processes"] if "emulator" in one["name"])
        self._workers = Workers(emulator["pid"], names)
        lost = client("sqs", deployed.aws_url).create_queue(QueueName=_LOST)["QueueUrl"]
        self._proxy = AwsProxy(
            deployed.aws_url,
            (*FUNCTIONS, "api"),
            interference=self.interference,
            exposure=self.exposure,
            workers=self._workers,
            dice=self.dice,
            lost_queue=lost,
        )
        self._proxy.start()
        _shorten(deployed)
        for name, function in names.items():
            if function in self._proxy.urls:
                _reconfigure(deployed, name, function, self._proxy.urls[function])

    def scene(self, cloud: Cloud) -> Scene:
        """The scene, once the cloud is up.

        Raises:
            LocalCloudError: the cloud came up without it.
        """
        if self._workers is None:
            raise LocalCloudError("the cloud was not brought up with this stagehand's rewire")
        return Scene(
            cloud,
            self.interference,
            self.exposure,
            self._workers,
            self._gates,
            self.tally,
            self.dice,
        )

    def stop(self) -> None:
        """Ends proxies and gates."""
        if self._proxy:
            self._proxy.stop()
        for gate in self._gates.values():
            gate.stop()


def _short(output: str) -> str:
    words = output.removesuffix("Function")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in words).lstrip("_")


def _reconfigure(deployed: Deployed, name: str, function: str, endpoint: str) -> None:
    functions = client("lambda", deployed.aws_url)
    now = functions.get_function_configuration(FunctionName=name)
    variables = now["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": endpoint}
    changes: dict[str, Any] = {"Environment": {"Variables": variables}}
    if function == "dispatcher":
        changes["Timeout"] = DISPATCHER_S
    functions.update_function_configuration(FunctionName=name, **changes)


def _shorten(deployed: Deployed) -> None:
    sqs = client("sqs", deployed.aws_url)
    for output, seconds in _VISIBILITY_S.items():
        sqs.set_queue_attributes(
            QueueUrl=deployed.outputs[output],
            Attributes={"VisibilityTimeout": str(seconds)},
        )
    ssm = client("ssm", deployed.aws_url)
    path = f"/tidepost/{STAGE}/deployment"
    deployment = json.loads(ssm.get_parameter(Name=path)["Parameter"]["Value"])
    deployment["settle_deadline_s"] = SETTLE_S
    ssm.put_parameter(Name=path, Value=json.dumps(deployment), Type="String", Overwrite=True)
