"""Settings: what is right is read, and what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.config import (
    Deployment,
    PostmarkProvider,
    Providers,
    SendGridProvider,
    SesProvider,
    Settings,
    WarmingSchedules,
)
from shared.delivery.rates import Limits
from shared.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
SES = {"name": "ses", "kind": "ses", "weight": 1}
SENDGRID = {"name": "sg", "kind": "sendgrid", "weight": 1, "secret": "providers/sg"}
POSTMARK = {"name": "pm", "kind": "postmark", "weight": 1, "secret": "providers/pm"}
ENVIRONMENT = {
    "TIDEPOST_STAGE": "test",
    "TIDEPOST_TABLE_PREFIX": "tidepost-test",
    "TIDEPOST_PARAMETER_PATH": "/tidepost/test",
    "TIDEPOST_SECRET_PREFIX": "tidepost/test",
}


def parsed(*providers: object) -> Providers:
    return Providers.parse(json.dumps({"providers": providers}))


def test_the_shipped_files_are_valid() -> None:
    shipped = Providers.parse((ROOT / "config/providers.json").read_text())
    assert {provider.kind for provider in shipped.providers} == {"sendgrid", "ses", "postmark"}
    schedule = WarmingSchedules.parse((ROOT / "config/warming_schedule.json").read_text())
    assert (len(schedule.per_day), schedule.per_day[0], schedule.per_day[-1]) == (30, 50, 3000)


def test_each_kind_becomes_its_own_class_with_its_defaults() -> None:
    ses, sendgrid, postmark = parsed(SES, SENDGRID, POSTMARK).providers
    assert isinstance(ses, SesProvider)
    assert ses.endpoint == "https://email.us-east-1.amazonaws.com"
    assert isinstance(sendgrid, SendGridProvider)
    assert sendgrid.base_url == "https://api.sendgrid.com"
    assert isinstance(postmark, PostmarkProvider)
    assert (postmark.campaign_stream, postmark.transactional_stream) == ("broadcast", "outbound")
    assert ses.limits.as_limits() == Limits(reserve=0.05)


def test_a_provider_is_found_by_its_name() -> None:
    providers = parsed(SES, SENDGRID)
    assert providers.get("sg") is providers.providers[1]
    assert providers.get("nobody") is None


def test_an_endpoint_of_ones_own_outranks_the_regions() -> None:
    (ses,) = parsed({**SES, "base_url": "http://127.0.0.1:1"}).providers
    assert isinstance(ses, SesProvider)
    assert ses.endpoint == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        ({**SES, "name": "Ses"}, "name"),
        ({**SES, "name": ""}, "name"),
        ({**SES, "name": "a|b"}, "name"),
        ({**SES, "name": "a" * 32}, "name"),
        ({**SES, "name": 7}, "name"),
        ({**SES, "weight": -1}, "weight"),
        ({**SES, "weight": 1001}, "weight"),
        ({**SES, "weight": 0.5}, "weight"),
        ({**SES, "weight": None}, "weight"),
        ({**SES, "region": "us-east"}, "region"),
        ({**SES, "region": "us-east-1.evil.example"}, "region"),
        ({**SES, "topic_arns": "arn"}, "topic_arns"),
        ({**SES, "warmup": "perhaps"}, "warmup"),
        ({**SES, "connect_timeout_s": 0}, "connect_timeout_s"),
        ({**SES, "read_timeout_s": 61}, "read_timeout_s"),
        ({**SES, "limits": {"per_second": 0}}, "limits.per_second"),
        ({**SES, "limits": {"per_hour": 1.5}}, "limits.per_hour"),
        ({**SES, "limits": {"per_day": -1}}, "limits.per_day"),
        ({**SES, "limits": {"per_minute": 1}}, "limits.per_minute"),
        ({**SES, "secret": "x"}, "secret"),
        ({**SENDGRID, "api_key": "SG.x"}, "api_key"),
        ({**SENDGRID, "webhook_public_key": None}, "webhook_public_key"),
        ({**POSTMARK, "campaign_stream": 1}, "campaign_stream"),
        ({"name": "sg", "kind": "sendgrid", "weight": 1}, "secret"),
        ({"name": "pm", "kind": "postmark", "weight": 1}, "secret"),
        ({"kind": "ses", "weight": 1}, "name"),
        ({"name": "ses", "kind": "ses"}, "weight"),
    ],
)
def test_a_bad_provider_names_place_and_field(provider: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        parsed(SES if provider["kind"] != "ses" else SENDGRID, provider)
    assert f"providers.1.{provider['kind']}.{field}:" in str(error.value)
    assert str(error.value).startswith("providers.json is not valid: ")


@pytest.mark.parametrize("number", ["Infinity", "NaN", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["per_second", "per_hour"])
def test_a_limit_is_a_finite_number(field: str, number: str) -> None:
    text = json.dumps({"providers": [{**SES, "limits": {field: "here"}}]})
    with pytest.raises(ConfigurationError, match=field):
        Providers.parse(text.replace('"here"', number))


@pytest.mark.parametrize(
    ("provider", "named"),
    [
        ({"name": "x", "kind": "mailgun", "weight": 1}, "providers.0: .*'ses'"),
        ({"name": "x", "weight": 1}, "providers.0: .*'kind'"),
        ("ses", "providers.0"),
        (None, "providers.0"),
    ],
)
def test_an_unknown_kind_is_answered_with_those_there_are(provider: object, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        parsed(provider)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "the whole: Invalid JSON"),
        ("{", "the whole: Invalid JSON"),
        ("[]", "the whole: "),
        ("{}", "providers: Field required"),
        ('{"providers": []}', "providers: "),
        ('{"providers": {}}', "providers: "),
        ('{"providers": [], "version": 1}', "version: "),
    ],
)
def test_what_is_no_list_of_providers_is_refused(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Providers.parse(text)


def test_names_are_unique_and_some_weight_is_there() -> None:
    with pytest.raises(ConfigurationError, match=r"providers: .*named sg"):
        parsed(SENDGRID, SES, {**POSTMARK, "name": "sg"})
    with pytest.raises(ConfigurationError, match="the weights sum to zero"):
        parsed({**SES, "weight": 0}, {**SENDGRID, "weight": 0})


def test_no_message_repeats_a_value() -> None:
    secret = "SG.a-secret-in-the-wrong-place"
    with pytest.raises(ConfigurationError) as error:
        parsed({**SENDGRID, "api_key": secret, "weight": secret, "webhook_public_key": [secret]})
    assert secret not in str(error.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{}", "public_url"),
        ('{"public_url": 1}', "public_url"),
        ('{"public_url": "https://x", "dns_servers": "1.1.1.1"}', "dns_servers"),
        ('{"public_url": "https://x", "base_url": "y"}', "base_url"),
        ('{"public_url": "https://x", "settle_deadline_s": 59}', "settle_deadline_s"),
        ('{"public_url": "https://x", "settle_deadline_s": 86401}', "settle_deadline_s"),
        ('{"public_url": "https://x", "mx_lookup": "perhaps"}', "mx_lookup"),
    ],
)
def test_a_bad_deployment_parameter_names_the_field(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the deployment parameter is not valid: {named}"):
        Deployment.parse(text)


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "per_day: Field required"),
        ({"per_day": []}, "per_day: "),
        ({"per_day": [50, 40]}, "per_day: .*day 2 has 40, fewer than the 50"),
        ({"per_day": [0, 50]}, "per_day: .*day 1 must allow"),
        ({"per_day": [-5]}, "per_day: .*day 1 must allow"),
        ({"per_day": [50, "x"]}, "per_day.1: "),
        ({"per_day": [50], "idle_days_until_restart": 0}, "idle_days_until_restart: "),
        ({"per_day": [50], "name": "mine"}, "name: "),
    ],
)
def test_a_bad_schedule_names_field_and_day(document: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"warming_schedule.json is not valid: {named}"):
        WarmingSchedules.parse(json.dumps(document))


def test_the_environment_is_read_by_its_names() -> None:
    settings = Settings.from_env(
        {
            **ENVIRONMENT,
            "TIDEPOST_BULK_QUEUE_URL": "https://sqs/bulk",
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
            "PATH": "/bin",
            "TIDEPOST_SOMETHING_LATER": "x",
        }
    )
    assert settings.table("campaigns") == "tidepost-test-campaigns"
    assert settings.secret("link-keys") == "tidepost/test/link-keys"
    assert settings.bulk_queue_url == "https://sqs/bulk"
    assert settings.jobs_queue_url == ""
    assert (settings.region, settings.endpoint_url) == ("eu-central-1", "http://127.0.0.1:4566")


def test_the_region_has_a_second_name_and_a_default() -> None:
    other = {**ENVIRONMENT, "AWS_DEFAULT_REGION": "eu-west-1"}
    assert Settings.from_env(other).region == "eu-west-1"
    assert Settings.from_env(ENVIRONMENT).region == "us-east-1"


@pytest.mark.parametrize("name", ENVIRONMENT)
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_missing_variable_is_named_as_the_environment_names_it(name: str, how: str) -> None:
    env = {**ENVIRONMENT, name: ""}
    if how == "missing":
        del env[name]
    with pytest.raises(ConfigurationError) as error:
        Settings.from_env(env)
    assert [one for one in ENVIRONMENT if one in str(error.value)] == [name]


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as error:
        Settings.from_env({})
    assert all(name in str(error.value) for name in ENVIRONMENT)
