"""Runs jobs from the queue, and the commands that an operator gives by invoking it directly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.jobs.wiring import Services, services
from shared.delivery.switches import DEPLOYMENT
from shared.errors import FieldProblem, InvalidInput
from shared.jobs import JobState

_SPARE = timedelta(seconds=60)
"""What a step may still need when the last one was begun just before the deadline."""


_COMMANDS = (
    "first_key", "kill_switch", "restore_provider", "sync_suppressions", "drop_unconfirmed",
    "reapply_erasures",
)  # fmt: skip


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """The Lambda function. An exception makes SQS bring the message again."""
    if "Records" in event:
        run(services(), event, context)
        return None
    return command(services(), event)


def run(own: Services, event: dict[str, Any], context: LambdaContext) -> None:
    """Runs the jobs of a batch as far as time allows."""
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    deadline = own.clock.now() + left - _SPARE
    for record in event["Records"]:
        workspace, job_id = own.job_of(record["body"])
        job = own.runner.run(workspace, job_id, deadline)
        own.logger.info(
            "job",
            extra={"job": job.id, "kind": job.kind, "state": job.state, "progress": job.progress},
        )
        if job.state is JobState.FAILED:
            own.logger.error("a job failed", extra={"job": job.id, "reason": job.error})
        own.metrics.add_metric(f"jobs_{job.state}", MetricUnit.Count, 1)
    own.metrics.flush_metrics()


def command(own: Services, event: dict[str, Any]) -> dict[str, Any]:
    """What an operator or a rule asks for; the answer of `first_key` holds the key, no log does.

    - `{"command": "first_key", "workspace": <name>}`
    - `{"command": "kill_switch", "on": <bool>, "reason": <text>}`: `on` stops all sending
    - `{"command": "sync_suppressions"}`, and
    - `{"command": "drop_unconfirmed"}`, which daily rules give too
    - `{"command": "reapply_erasures", "since": <instant>, "skip": <number>}`: after a restore
    - `{"command": "restore_provider", "provider": <name>}`: what took it out is in order again

    Raises:
        InvalidInput: no such command, a bad name, or no reason to stop.
        NotFound: nothing is wrong with a provider of that name.
    """
    match event.get("command"):
        case "first_key":
            answer = own.commands.first_key(str(event.get("workspace", "")))
            own.logger.info("first key issued", extra={"workspace": answer["workspace"]})
            return answer
        case "kill_switch" if isinstance(event.get("on"), bool):
            enabled = not event["on"]
            reason = str(event.get("reason", ""))
            own.switches.put(DEPLOYMENT, enabled=enabled, reason=reason, by="operator")
            own.logger.warning("kill switch", extra={"sending": enabled})
            return {"sending": "on" if enabled else "off"}
        case "sync_suppressions":
            job = own.sync.start()
            own.logger.info("sync of suppressions queued", extra={"job": job.id})
            return {"job": job.id}
        case "drop_unconfirmed":
            job = own.dropping.start()
            own.logger.info("drop of unconfirmed people queued", extra={"job": job.id})
            return {"job": job.id}
        case "restore_provider":
            provider = str(event.get("provider", ""))
            state = own.monitor.restore(provider).state
            own.logger.warning("provider restored", extra={"provider": provider, "state": state})
            return {"state": state.value}
        case "reapply_erasures" if isinstance(event.get("skip", 0), int):
            begun = own.reapplying.since(str(event.get("since", "")), event.get("skip", 0))
            own.logger.warning("erasures applied again", extra={"begun": begun["started"]})
            return begun
        case _:
            raise InvalidInput(FieldProblem("command", f"is not one of: {', '.join(_COMMANDS)}"))
