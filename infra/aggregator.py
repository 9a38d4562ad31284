"""The aggregator function: counts what the engagements stream brings."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from constructs import Construct

from infra import grants, limits
from infra.python_function import PythonFunction
from infra.roles import Resources

_NAME = "aggregator"


class Aggregator(Construct):
    """functions/aggregator on the engagements table's stream, insertions only.

    One batch per shard at a time: a counter's last sequence number must rise. A
    batch that keeps failing is halved, and its last record goes to the
    dead-letter queue after five attempts. The tumbling window is there because
    it alone makes Lambda name the shard, which keeps counters of its own.
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
            self, "Python", name=_NAME, limits=limits.AGGREGATOR, resources=resources, layer=layer
        )
        dead_letters = resources.queues.by_name[grants.ON_FAILURE[_NAME]]
        lambda_.EventSourceMapping(
            self,
            "Stream",
            target=self.python.function,
            event_source_arn=resources.tables.by_name[
                grants.STREAM_READERS[_NAME]
            ].table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            filters=[
                lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})
            ],
            batch_size=500,
            max_batching_window=Duration.seconds(1),
            parallelization_factor=1,
            tumbling_window=Duration.minutes(1),
            bisect_batch_on_error=True,
            retry_attempts=5,
            on_failure=event_sources.SqsDlq(dead_letters),
        )
