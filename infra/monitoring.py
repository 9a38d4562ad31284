"""Alarms: something lies in a dead-letter queue, a function failed, or says that work did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.python_function import PythonFunction
from infra.stages import Stage

_PERIOD = Duration.minutes(5)

_SAID = (
    ("scheduler", "dead_letters_fed_back", "Chunks were given up by their queue and go again"),
    ("jobs", "jobs_failed", "A job was given up; its record says why"),
)
"""Metrics by which a function itself says that something went wrong, and what."""


class Monitoring(Construct):
    """The alarms and the topic that carries them.

    Args:
        email: who is told; empty: nobody yet, add subscriptions to the topic.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        dead_letters: Mapping[str, sqs.Queue],
        functions: Iterable[PythonFunction],
        email: str,
    ) -> None:
        super().__init__(scope, construct_id)
        topic = sns.Topic(self, "Topic", topic_name=f"{stage.prefix}-alarms", enforce_ssl=True)
        # A policy of its own replaces the one by which all of the account may publish.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        self._tell = actions.SnsAction(topic)
        for name, queue in dead_letters.items():
            self._alarm(
                f"{stage.prefix}-{name}",
                queue.metric_approximate_number_of_messages_visible(
                    period=_PERIOD, statistic="Maximum"
                ),
                f"Messages lie in {name}: see why they failed, then redrive them.",
            )
        for function in functions:
            self._alarm(
                f"{stage.prefix}-{function.name}-errors",
                function.function.metric_errors(period=_PERIOD, statistic="Sum"),
                f"functions/{function.name} raised an error: see its log group.",
            )

        for function_name, metric, description in _SAID:
            self._alarm(
                f"{stage.prefix}-{function_name}-{metric}",
                cloudwatch.Metric(
                    namespace="Tidepost",
                    metric_name=metric,
                    dimensions_map={"service": function_name},
                    period=_PERIOD,
                    statistic="Sum",
                ),
                f"{description}: see the log group of functions/{function_name}.",
            )

    def _alarm(self, name: str, metric: cloudwatch.IMetric, description: str) -> None:
        cloudwatch.Alarm(
            self,
            name,
            alarm_name=name,
            alarm_description=description,
            metric=metric,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        ).add_alarm_action(self._tell)
