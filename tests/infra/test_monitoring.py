from tests.infra.synthesis import Synthesis


def dimensions(stage: Synthesis, metric: str) -> set[str]:
    return {
        stage.text(alarm["Dimensions"][0]["Value"])
        for alarm in stage.properties("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == metric
    }


def test_every_dead_letter_queue_has_an_alarm(any_stage: Synthesis) -> None:
    queues = any_stage.named("AWS::SQS::Queue", "QueueName")
    assert dimensions(any_stage, "ApproximateNumberOfMessagesVisible") == {
        name for name in queues if name.endswith("-dlq")
    }


def test_every_function_has_an_alarm_on_its_errors(any_stage: Synthesis) -> None:
    functions = any_stage.named("AWS::Lambda::Function", "FunctionName")
    assert dimensions(any_stage, "Errors") == set(functions)


def test_what_functions_say_of_themselves_has_alarms(any_stage: Synthesis) -> None:
    assert dimensions(any_stage, "dead_letters_fed_back") == {"scheduler"}
    assert dimensions(any_stage, "jobs_failed") == {"jobs"}
    for metric in (
        "campaigns_stopped",
        "oldest_waiting_s",
        "in_doubt",
        "silent_providers",
        "out_of_service_providers",
    ):
        assert dimensions(any_stage, metric) == {"scheduler"}


def test_messages_that_wait_too_long_have_alarms(any_stage: Synthesis) -> None:
    alarms = {
        any_stage.text(alarm["Dimensions"][0]["Value"]).rpartition("-")[2]: alarm["Threshold"]
        for alarm in any_stage.properties("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "ApproximateAgeOfOldestMessage"
    }
    assert alarms == {"bulk": 1800, "transactional": 300}


def test_a_provider_is_silent_only_after_a_quarter_of_an_hour_on_end(any_stage: Synthesis) -> None:
    (alarm,) = (
        alarm
        for alarm in any_stage.properties("AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "silent_providers"
    )
    assert (alarm["EvaluationPeriods"], alarm["Period"], alarm["Statistic"]) == (3, 300, "Minimum")


def test_every_alarm_tells_the_topic_and_may(prod: Synthesis) -> None:
    for alarm in prod.properties("AWS::CloudWatch::Alarm"):
        assert [prod.text(action) for action in alarm["AlarmActions"]] == ["tidepost-prod-alarms"]
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    (policy,) = (
        policy
        for policy in prod.properties("AWS::SNS::TopicPolicy")
        if [prod.text(topic) for topic in policy["Topics"]] == ["tidepost-prod-alarms"]
    )
    principals = [s["Principal"] for s in policy["PolicyDocument"]["Statement"]]
    assert {"Service": "cloudwatch.amazonaws.com"} in principals
