"""The jobs function: long work in resumable steps, one message at a time."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.python_function import PythonFunction
from infra.roles import Resources


class Jobs(Construct):
    """functions/jobs, fed by the jobs queue."""

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
