"""The dispatcher function: sends the chunks that the bulk and transactional queues name."""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.python_function import PythonFunction
from infra.roles import Resources


class Dispatcher(Construct):
    """functions/dispatcher, with so many at once as the stage allows.

    A bulk chunk takes long, so one comes at a time; transactional chunks hold
    one message each and come by tens.
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
        concurrency = resources.stage.concurrency
        self.python = PythonFunction(
            self,
            "Python",
            name="dispatcher",
            limits=limits.DISPATCHER,
            resources=resources,
            layer=layer,
            reserved_concurrency=concurrency.reserved if concurrency.reserve else None,
        )
        for queue, batch_size, maximum in (
            ("bulk", 1, concurrency.bulk),
            ("transactional", 10, concurrency.transactional),
        ):
            lambda_.EventSourceMapping(
                self,
                queue,
                target=self.python.function,
                event_source_arn=resources.queues.by_name[queue].queue_arn,
                batch_size=batch_size,
                max_concurrency=maximum,
                report_batch_item_failures=True,
            )
