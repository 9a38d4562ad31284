"""What only AWS has: the way of SES events into the queue, and the firewalls of prod."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ops.aws import Aws
from ops.deployed import Deployed
from ops.findings import Finding, fail, none_wrong, ok
from ops.function_checks import topic_arn
from ops.ses_checks import own_accounts
from ops.stage_facts import SES_EVENTS, StageFacts

_DEPLOY = "deploy again; if it stays, see the stack's events and drift"
_QUEUE = "ses-events"


def ses_events(aws: Aws, facts: StageFacts, deployed: Deployed) -> Iterator[Finding]:
    """SES publishes every event type to the stack's topic, by each configuration set."""
    topic = topic_arn(aws, facts, _QUEUE)
    for provider in own_accounts(deployed.providers):
        if topic not in provider.topic_arns:
            continue
        name = provider.configuration_set
        ses = aws.at(provider.region)
        sends = ses.call("sesv2", "GetConfigurationSet", ConfigurationSetName=name)
        answer = ses.call(
            "sesv2", "GetConfigurationSetEventDestinations", ConfigurationSetName=name
        )
        wrong = []
        if not sends.get("SendingOptions", {}).get("SendingEnabled", True):
            wrong.append(f"configuration set {name} has sending switched off")
        told = _told(answer["EventDestinations"], topic)
        if SES_EVENTS - told:
            wrong.append(f"{name} does not publish {', '.join(sorted(SES_EVENTS - told))}")
        yield none_wrong(f"{name} publishes {len(SES_EVENTS)} event types", wrong, _DEPLOY)


def ses_queue(aws: Aws, facts: StageFacts) -> Iterator[Finding]:
    """The topic delivers into the queue in whole envelopes, and the queue has its dead letters."""
    topic = topic_arn(aws, facts, _QUEUE)
    url = aws.call("sqs", "GetQueueUrl", QueueName=facts.full(_QUEUE))["QueueUrl"]
    attributes = aws.call(
        "sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"]
    )["Attributes"]
    found = aws.every("sns", "ListSubscriptionsByTopic", "Subscriptions", TopicArn=topic)
    ours = [one for one in found if one["Endpoint"] == attributes["QueueArn"]]
    if not ours:
        yield fail(f"topic {facts.full(_QUEUE)} does not deliver into the queue", _DEPLOY)
        return
    wrong = []
    arn = ours[0]["SubscriptionArn"]
    subscription = aws.call("sns", "GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
    if subscription.get("RawMessageDelivery") == "true":
        wrong.append("raw delivery is on, so that no signature comes along")
    redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
    if not redrive.get("deadLetterTargetArn", "").endswith(f":{facts.full(_QUEUE)}-dlq"):
        wrong.append("the queue has no dead-letter queue")
    yield none_wrong("topic -> queue, whole envelopes, with a dead-letter queue", wrong, _DEPLOY)


def api_firewall(aws: Aws, facts: StageFacts, deployed: Deployed) -> Iterator[Finding]:
    """A web ACL stands in front of the REST API."""
    api = deployed.outputs["ApiId"]
    partition = topic_arn(aws, facts, _QUEUE).split(":")[1]
    stage = f"arn:{partition}:apigateway:{aws.region}::/restapis/{api}/stages/{facts.name}"
    acl = aws.call("wafv2", "GetWebACLForResource", ResourceArn=stage).get("WebACL")
    if acl:
        yield ok(f"web ACL {acl['Name']}, {len(acl.get('Rules', ()))} rules")
    else:
        yield fail("no web ACL stands in front of the REST API", _DEPLOY)


def public_firewall(aws: Aws, deployed: Deployed) -> Iterator[Finding]:
    """A web ACL stands in front of the public pages' CloudFront distribution."""
    host = urlsplit(deployed.outputs["PublicUrl"]).hostname
    pages = aws.call("cloudfront", "ListDistributions", MaxItems="1000")
    found = pages["DistributionList"].get("Items", ())
    edge = next((one for one in found if one["DomainName"] == host), None)
    if edge is None:
        yield fail(f"no CloudFront distribution is {host}", _DEPLOY)
    elif not edge.get("WebACLId"):
        yield fail(f"no web ACL stands in front of {host}", _DEPLOY)
    else:
        yield ok(f"{host} has a web ACL, state {edge['Status']}")


def _told(destinations: list[dict[str, Any]], topic: str) -> frozenset[str]:
    """Which event types reach the topic."""
    return frozenset(
        kind
        for one in destinations
        if one.get("Enabled") and one.get("SnsDestination", {}).get("TopicArn") == topic
        for kind in one.get("MatchingEventTypes", ())
    )
