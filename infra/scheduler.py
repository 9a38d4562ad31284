"""The scheduler function: every minute it releases, recovers, settles and finishes."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import grants, limits
from infra.python_function import PythonFunction
from infra.roles import Resources


class Scheduler(Construct):
    """functions/scheduler, started every minute and never twice for the same one.

    Chunks that the dispatcher gave up on come to it as well, from the
    dead-letter queues.
    """

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
            name="scheduler",
            limits=limits.SCHEDULER,
            resources=resources,
            layer=layer,
            # The next minute's run does what this one left.
            retry_attempts=0,
        )
        for queue in grants.CONSUMES["scheduler"]:
            lambda_.EventSourceMapping(
                self,
                queue,
                target=self.python.function,
                event_source_arn=resources.queues.by_name[queue].queue_arn,
                batch_size=10,
                report_batch_item_failures=True,
            )
        events.Rule(
            self,
            "EveryMinute",
            description="Releases, recovers and settles what is due",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[
                targets.LambdaFunction(
                    self.python.function, retry_attempts=0, max_event_age=Duration.minutes(1)
                )
            ],
        )
