"""Alarms: a queue is stuck, a function failed, or says that something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Said:
    """A metric by which a function itself says that something is wrong, and what.

    The alarm goes off when it was above `threshold` in each of `periods`.
    """

    function: str
    metric: str
    description: str
    statistic: str = "Sum"
    threshold: float = 0
    periods: int = 1


_SAID = (
    Said("scheduler", "dead_letters_fed_back", "Chunks were given up by their queue and go again"),
    Said("scheduler", "campaigns_stopped", "The brake paused a campaign; its reason has figures"),
    Said(
        "scheduler",
        "oldest_waiting_s",
        "Chunks that are due wait for the scheduler: it does not keep up",
        statistic="Maximum",
        threshold=600,
    ),
    # One batch, which is what an outage of a provider leaves; it is settled within the hour.
    Said(
        "scheduler",
        "in_doubt",
        "More recipients are in doubt than one failed batch leaves",
        statistic="Maximum",
        threshold=50,
    ),
    # Three periods on end: see shared/delivery/silence.py.
    Said(
        "scheduler",
        "silent_providers",
        "A provider takes mail and reports nothing: check its webhook; the log names it",
        statistic="Minimum",
        periods=3,
    ),
    Said(
        "scheduler",
        "out_of_service_providers",
        "A provider's account is paused or refuses us: put it in order, then ops.restore_provider",
        statistic="Maximum",
    ),
    Said("jobs", "jobs_failed", "A job was given up; its record says why"),
)

_AGES = {"bulk": Duration.minutes(30), "transactional": Duration.minutes(5)}
"""How old the oldest message of a queue may be: what may go now waits there, and nothing else."""


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
        queues: Mapping[str, sqs.Queue],
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
        for name, queue in queues.items():
            if not name.endswith("-dlq"):
                continue
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
        for name, age in _AGES.items():
            self._alarm(
                f"{stage.prefix}-{name}-age",
                queues[name].metric_approximate_age_of_oldest_message(
                    period=_PERIOD, statistic="Maximum"
                ),
                f"The oldest message of {name} waits too long: does functions/dispatcher run?",
                threshold=age.to_seconds(),
            )
        for said in _SAID:
            self._alarm(
                f"{stage.prefix}-{said.function}-{said.metric}",
                cloudwatch.Metric(
                    namespace="Tidepost",
                    metric_name=said.metric,
                    dimensions_map={"service": said.function},
                    period=_PERIOD,
                    statistic=said.statistic,
                ),
                f"{said.description}: see the log group of functions/{said.function}.",
                threshold=said.threshold,
                periods=said.periods,
            )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: float = 0,
        periods: int = 1,
    ) -> None:
        cloudwatch.Alarm(
            self,
            name,
            alarm_name=name,
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        ).add_alarm_action(self._tell)
