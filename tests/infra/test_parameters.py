import json
from pathlib import Path
from typing import Any

import pytest

from infra.parameters import own_ses
from infra.python_function import ROOT
from shared.config import Deployment, Providers, WarmingSchedules, delivery_rules
from shared.errors import ConfigurationError
from tests.infra.synthesis import Synthesis, synthesise


def value(stage: Synthesis, name: str) -> str:
    parameters = stage.named("AWS::SSM::Parameter", "Name")
    return stage.text(parameters[f"/tidepost/{name}"]["Value"])


def test_the_parameters_are_read_by_the_models_that_wrote_them(any_stage: Synthesis) -> None:
    stage = any_stage.properties("AWS::ApiGateway::Stage")[0]["StageName"]
    schedule = (ROOT / "config" / "warming_schedule.json").read_text()
    assert WarmingSchedules.parse(value(any_stage, f"{stage}/warming_schedule")) == (
        WarmingSchedules.parse(schedule)
    )
    providers = Providers.parse(value(any_stage, f"{stage}/providers"))
    rules = (ROOT / "config" / "delivery_rules.json").read_text()
    assert delivery_rules(value(any_stage, f"{stage}/delivery_rules"), providers) == (
        delivery_rules(rules, providers)
    )
    written = Providers.parse((ROOT / "config" / "providers.json").read_text())
    assert [p.name for p in providers.providers] == [p.name for p in written.providers]


def test_ses_in_this_account_trusts_this_stacks_topic(prod: Synthesis) -> None:
    ses = Providers.parse(value(prod, "prod/providers")).get("ses")
    assert ses is not None
    assert ses.kind == "ses"
    assert ses.topic_arns == ("arn:<Partition>:sns:<Region>:<AccountId>:tidepost-prod-ses-events",)
    assert ses.configuration_set == "tidepost-prod"


def test_ses_elsewhere_keeps_its_own_topics() -> None:
    elsewhere = Providers.parse(
        '{"providers": [{"name": "a", "kind": "ses", "weight": 1, "topic_arns": ["arn:theirs"]}]}'
    )
    assert own_ses(elsewhere, configuration_set="ours", topic_arn="arn:ours") == elsewhere


def test_public_url_defaults_to_the_public_pages(local: Synthesis, prod: Synthesis) -> None:
    assert "execute-api" in Deployment.parse(value(local, "local/deployment")).public_url or (
        Deployment.parse(value(local, "local/deployment")).public_url.startswith("PublicGateway")
    )
    assert Deployment.parse(value(prod, "prod/deployment")).public_url == "https://PublicEdge"


def test_an_operators_choices_are_taken(tmp_path: Path) -> None:
    providers = tmp_path / "providers.json"
    account = {
        "name": "only",
        "kind": "postmark",
        "weight": 1,
        "secret": "providers/only",
        "base_url": "http://127.0.0.1:4800",
    }
    # Long enough for an advanced parameter.
    many = [{**account, "name": f"only-{n}"} for n in range(40)]
    providers.write_text(json.dumps({"providers": [account, *many]}))
    stage = synthesise(
        "local",
        tmp_path / "out",
        providers=str(providers),
        public_url="http://127.0.0.1:1/pages",
        dns_servers="127.0.0.1:53,127.0.0.1:54",
        settle_deadline_s="90",
        mx_lookup="yes",
        alarm_email="ops@example.com",
        upload_origins="https://admin.example.com,http://localhost:5173",
        reserve_concurrency="no",
    )
    assert Deployment.parse(value(stage, "local/deployment")) == Deployment(
        public_url="http://127.0.0.1:1/pages",
        dns_servers=("127.0.0.1:53", "127.0.0.1:54"),
        settle_deadline_s=90,
        mx_lookup=True,
    )
    assert stage.named("AWS::SSM::Parameter", "Name")["/tidepost/local/providers"]["Tier"] == (
        "Advanced"
    )
    secrets = stage.named("AWS::SecretsManager::Secret", "Name")
    assert {name for name in secrets if "/providers/" in name} == {"tidepost/local/providers/only"}
    emails = [
        subscription["Endpoint"]
        for subscription in stage.properties("AWS::SNS::Subscription")
        if subscription["Protocol"] == "email"
    ]
    assert emails == ["ops@example.com"]
    [cors] = [one["CorsConfiguration"] for one in buckets(stage) if "CorsConfiguration" in one]
    assert cors["CorsRules"] == [
        {
            "AllowedMethods": ["POST"],
            "AllowedOrigins": ["https://admin.example.com", "http://localhost:5173"],
        }
    ]
    assert not any(
        "ReservedConcurrentExecutions" in function
        for function in stage.properties("AWS::Lambda::Function")
    )


def buckets(stage: Synthesis) -> list[dict[str, Any]]:
    return stage.properties("AWS::S3::Bucket")


def test_no_web_page_may_upload_unless_it_is_named(prod: Synthesis) -> None:
    assert not any("CorsConfiguration" in one for one in buckets(prod))


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*", "http://admin.example.com", "https://a.example/", "https://A.example"],
)
def test_an_origin_that_is_none_stops_the_synthesis(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigurationError, match="upload_origins"):
        synthesise("local", tmp_path / "out", upload_origins=f"https://ok.example,{origin}")


def test_a_wrong_providers_file_stops_the_synthesis(tmp_path: Path) -> None:
    providers = tmp_path / "providers.json"
    providers.write_text('{"providers": []}')
    with pytest.raises(ConfigurationError, match=r"providers\.json is not valid"):
        synthesise("local", tmp_path / "out", providers=str(providers))


def test_rules_that_name_no_provider_of_ours_stop_the_synthesis(tmp_path: Path) -> None:
    rules = tmp_path / "delivery_rules.json"
    rules.write_text('{"rules": [{"name": "a", "order": ["acme"]}]}')
    named = r"delivery_rules\.json is not valid: rules\.0\.order\.0: .*'acme'"
    with pytest.raises(ConfigurationError, match=named):
        synthesise("local", tmp_path / "out", delivery_rules=str(rules))


def test_secrets_manager_makes_the_keys(prod: Synthesis) -> None:
    secrets = prod.named("AWS::SecretsManager::Secret", "Name")
    assert set(secrets) == {
        "tidepost/prod/subscriber-id-key",
        "tidepost/prod/message-id-key",
        "tidepost/prod/link-keys",
        "tidepost/prod/providers/sendgrid",
        "tidepost/prod/providers/postmark",
    }
    for secret in secrets.values():
        assert secret["GenerateSecretString"]["PasswordLength"] == 64
        assert secret["GenerateSecretString"]["ExcludePunctuation"] is True
    link_keys = secrets["tidepost/prod/link-keys"]["GenerateSecretString"]
    assert json.loads(link_keys["SecretStringTemplate"]) == {"current": "k1"}
    assert link_keys["GenerateStringKey"] == "k1"
