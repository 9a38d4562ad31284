import pytest

from tests.infra.synthesis import Json, Synthesis


@pytest.fixture(scope="module")
def queues(prod: Synthesis) -> dict[str, Json]:
    found = prod.named("AWS::SQS::Queue", "QueueName")
    return {name.removeprefix("tidepost-prod-"): queue for name, queue in found.items()}


def test_every_queue_has_a_dead_letter_queue(prod: Synthesis, queues: dict[str, Json]) -> None:
    living = {name for name in queues if not name.endswith("-dlq")}
    assert living == {"bulk", "transactional", "jobs", "ses-events"}
    for name in living:
        redrive = queues[name]["RedrivePolicy"]
        assert prod.text(redrive["deadLetterTargetArn"]) == f"tidepost-prod-{name}-dlq"
        assert redrive["maxReceiveCount"] == 5


def test_a_message_stays_hidden_for_six_time_outs(queues: dict[str, Json]) -> None:
    seconds = {name: queue["VisibilityTimeout"] for name, queue in queues.items()}
    assert seconds["bulk"] == seconds["transactional"] == 6 * 120
    assert seconds["jobs"] == 6 * 300
    assert seconds["ses-events"] == 6 * 15
    assert seconds["bulk-dlq"] == seconds["transactional-dlq"] == 6 * 55


def test_every_queue_is_encrypted_and_refuses_plain_http(
    prod: Synthesis, queues: dict[str, Json]
) -> None:
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    guarded = set()
    for policy in prod.properties("AWS::SQS::QueuePolicy"):
        statements = policy["PolicyDocument"]["Statement"]
        assert any(
            s["Effect"] == "Deny" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for s in statements
        )
        guarded |= {prod.text(queue) for queue in policy["Queues"]}
    assert guarded == {f"tidepost-prod-{name}" for name in queues}


def test_ses_events_come_as_whole_sns_envelopes(prod: Synthesis) -> None:
    (subscription,) = prod.properties("AWS::SNS::Subscription")
    assert prod.text(subscription["TopicArn"]) == "tidepost-prod-ses-events"
    assert prod.text(subscription["Endpoint"]) == "tidepost-prod-ses-events"
    assert not subscription.get("RawMessageDelivery")


def test_ses_publishes_all_its_events_to_the_topic(prod: Synthesis, local: Synthesis) -> None:
    (configuration_set,) = prod.properties("AWS::SES::ConfigurationSet")
    assert configuration_set["Name"] == "tidepost-prod"
    (destination,) = prod.properties("AWS::SES::ConfigurationSetEventDestination")
    events = destination["EventDestination"]
    assert prod.text(events["SnsDestination"]["TopicARN"]) == "tidepost-prod-ses-events"
    assert {"send", "bounce", "complaint", "delivery", "open", "click", "reject"} <= set(
        events["MatchingEventTypes"]
    )
    assert not local.all("AWS::SES::ConfigurationSet")
