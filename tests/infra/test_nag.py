import json
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

from infra.nag import wildcard
from tests.infra.synthesis import Synthesis


def findings(folder: Path) -> list[str]:
    report = json.loads((folder / "validation-report.json").read_text())
    return [
        violation["ruleName"]
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
    ]


def test_every_stage_is_clean(any_stage: Synthesis) -> None:
    assert findings(any_stage.folder) == []


def test_every_stage_is_without_warnings(any_stage: Synthesis) -> None:
    manifest = json.loads((any_stage.folder / "manifest.json").read_text())
    texts = json.dumps(manifest)
    for artifact in manifest["artifacts"].values():
        if extra := artifact.get("additionalMetadataFile"):
            texts += (any_stage.folder / extra).read_text()
    assert "aws:cdk:warning" not in texts
    assert "aws:cdk:error" not in texts


def test_a_finding_stops_the_synthesis(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    s3.Bucket(Stack(app, "careless"), "Open")
    Validations.of(app).add_plugins(AwsSolutionsChecks())
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()
    assert any("S10" in finding for finding in findings(tmp_path))


def test_a_wildcard_after_anything_but_one_resource_is_refused() -> None:
    stack = Stack(App(), "stack")
    with pytest.raises(TypeError, match="not made of one resource"):
        wildcard("/*", of=stack)
    queue = sqs.Queue(stack, "queue")
    assert wildcard("/*", of=queue).startswith("AwsSolutions-IAM5[Resource::<queue")
