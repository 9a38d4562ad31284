"""The warming_cron function: once a day it moves each warm-up on."""

from __future__ import annotations

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.python_function import PythonFunction
from infra.roles import Resources


class WarmingCron(Construct):
    """functions/warming_cron, started at 00:10 UTC."""

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
            self,
            "Python",
            name="warming_cron",
            limits=limits.WARMING_CRON,
            resources=resources,
            layer=layer,
        )
        events.Rule(
            self,
            "Daily",
            description="Advances the warm-ups",
            schedule=events.Schedule.cron(hour="0", minute="10"),
            targets=[targets.LambdaFunction(self.python.function)],
        )
