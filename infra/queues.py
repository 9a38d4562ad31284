"""The SQS queues, each with a dead-letter queue, and the way of SES events into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import limits
from infra.nag import acknowledge
from infra.stages import Stage

_MAX_RECEIVES = 5
# AWS asks for six times the function's time-out, so that retries of a throttled
# invocation end before the message shows again.
_VISIBILITY_FACTOR = 6
_CONSUMERS = {
    "bulk": limits.DISPATCHER,
    "transactional": limits.DISPATCHER,
    "jobs": limits.JOBS,
    "ses-events": limits.WEBHOOKS,
}


class Queues(Construct):
    """All queues by name; the dead-letter queue of `x` is `x-dlq`.

    `aggregator-dlq` takes what the engagements stream could not deliver.
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self._stage = stage
        queues: dict[str, sqs.Queue] = {}
        for name, consumer in _CONSUMERS.items():
            dead = queues[f"{name}-dlq"] = self._dead_letters(f"{name}-dlq")
            queues[name] = sqs.Queue(
                self,
                name,
                queue_name=f"{stage.prefix}-{name}",
                visibility_timeout=Duration.seconds(_VISIBILITY_FACTOR * consumer.seconds),
                retention_period=Duration.days(14),
                encryption=sqs.QueueEncryption.SQS_MANAGED,
                enforce_ssl=True,
                removal_policy=stage.removal,
                dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=_MAX_RECEIVES, queue=dead),
            )
        failed = queues["aggregator-dlq"] = self._dead_letters("aggregator-dlq")
        acknowledge(
            failed,
            {"AwsSolutions-SQS3": "It is a dead-letter queue: the engagements stream's."},
        )
        self.by_name: Mapping[str, sqs.Queue] = queues

    def _dead_letters(self, name: str) -> sqs.Queue:
        return sqs.Queue(
            self,
            name,
            queue_name=f"{self._stage.prefix}-{name}",
            # The scheduler reads two of them.
            visibility_timeout=Duration.seconds(_VISIBILITY_FACTOR * limits.SCHEDULER.seconds),
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=self._stage.removal,
        )


class SesEvents(Construct):
    """SES in this account → SNS → the `ses-events` queue, in whole SNS envelopes."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        queue: sqs.Queue,
        configuration_sets: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        topic = sns.Topic(self, "Topic", topic_name=ses_topic_name(stage), enforce_ssl=True)
        topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=False))
        for name in configuration_sets if stage.observed else ():
            ses.ConfigurationSet(
                self,
                f"ConfigurationSet-{name}",
                configuration_set_name=name,
                reputation_metrics=True,
            ).add_event_destination("Events", destination=ses.EventDestination.sns_topic(topic))


def ses_topic_name(stage: Stage) -> str:
    """The topic that SES in this account publishes to."""
    return f"{stage.prefix}-ses-events"
