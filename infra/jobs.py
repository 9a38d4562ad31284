"""The jobs function: long work in resumable steps, one message at a time."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.python_function import PythonFunction
from infra.roles import Resources

_DAILY = (
    ("Daily", "20", "sync_suppressions", "Suppressions: ours and the providers' come to agree"),
    ("Unconfirmed", "50", "drop_unconfirmed", "Drops who was asked to confirm and never did"),
)
"""Construct id, minute past 01:00 UTC, command and what it is for."""


class Jobs(Construct):
    """functions/jobs, fed by the jobs queue; from 01:20 UTC on, it begins what is daily."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        resources: Resources,
        layer: lambda_.ILayerVersion,
    ) -> None:
        super().__init__(scope, construct_id)
        self.python = PythonFunction(
            self, "Python", name="jobs", limits=limits.JOBS, resources=resources, layer=layer
        )
        lambda_.EventSourceMapping(
            self,
            "Queue",
            target=self.python.function,
            event_source_arn=resources.queues.by_name["jobs"].queue_arn,
            batch_size=1,
        )
        for name, minute, command, description in _DAILY:
            events.Rule(
                self,
                name,
                description=description,
                schedule=events.Schedule.cron(hour="1", minute=minute),
                targets=[
                    targets.LambdaFunction(
                        self.python.function,
                        event=events.RuleTargetInput.from_object({"command": command}),
                    )
                ],
            )
