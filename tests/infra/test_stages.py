import pytest

from infra.stages import Concurrency, stage_of
from shared.errors import ConfigurationError
from tests.infra.synthesis import Synthesis

DATA = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
    "AWS::Logs::LogGroup",
}


def test_prod_keeps_all_data(prod: Synthesis) -> None:
    for kind in DATA:
        for logical_id, resource in prod.all(kind).items():
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", logical_id
            assert resource["UpdateReplacePolicy"] == "Retain", logical_id


def test_prod_tables_have_deletion_protection(prod: Synthesis, local: Synthesis) -> None:
    def protected(stage: Synthesis) -> set[bool]:
        return {
            bool(replica.get("DeletionProtectionEnabled"))
            for table in stage.properties("AWS::DynamoDB::GlobalTable")
            for replica in table["Replicas"]
        }

    assert protected(prod) == {True}
    assert protected(local) == {False}


def test_the_key_of_subscriber_ids_is_kept_on_aws_in_every_stage(any_stage: Synthesis) -> None:
    (key,) = (
        secret
        for secret in any_stage.all("AWS::SecretsManager::Secret").values()
        if secret["Properties"]["Name"].endswith("/subscriber-id-key")
    )
    on_aws = not key["Properties"]["Name"].startswith("tidepost/local/")
    assert key["DeletionPolicy"] == ("RetainExceptOnCreate" if on_aws else "Delete")


def test_buckets_are_private_encrypted_and_forget(any_stage: Synthesis) -> None:
    for bucket in any_stage.properties("AWS::S3::Bucket"):
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] <= 90


def test_no_custom_resource_runs_code_of_others(any_stage: Synthesis) -> None:
    kinds = {resource["Type"] for resource in any_stage.template["Resources"].values()}
    assert not {kind for kind in kinds if kind.startswith("Custom::")}


@pytest.mark.parametrize("name", ["local", "dev", "prod"])
def test_neither_queue_can_throttle_the_other(name: str) -> None:
    concurrency = stage_of(name).concurrency
    assert concurrency.bulk + concurrency.transactional <= concurrency.reserved


def test_concurrency_that_would_throttle_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="exceed the reserved 5"):
        Concurrency(reserved=5, bulk=3, transactional=3)
    with pytest.raises(ConfigurationError, match="2 or more"):
        Concurrency(reserved=5, bulk=1, transactional=3)


def test_an_unknown_stage_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="there is no stage 'production'"):
        stage_of("production")
