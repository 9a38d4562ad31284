"""Synthesised stages as plain JSON, and a way to ask them questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.app import build
from infra.python_function import ROOT

Json = dict[str, Any]


@dataclass(frozen=True)
class Synthesis:
    """One stage's cloud assembly."""

    folder: Path
    template: Json

    def all(self, kind: str) -> dict[str, Json]:
        """Resources of a type by logical id, whole."""
        found = self.template["Resources"].items()
        return {key: value for key, value in found if value["Type"] == kind}

    def properties(self, kind: str) -> list[Json]:
        """Properties of all resources of a type."""
        return [resource.get("Properties", {}) for resource in self.all(kind).values()]

    def named(self, kind: str, key: str) -> dict[str, Json]:
        """Properties of all resources of a type, by the property that names them."""
        return {properties[key]: properties for properties in self.properties(kind)}

    def text(self, value: Any) -> str:
        """An intrinsic value in words: a resource by its name, a pseudo parameter by its own."""
        match value:
            case str():
                return value
            case {"Ref": str(ref)} if ref.startswith("AWS::"):
                return f"<{ref.removeprefix('AWS::')}>"
            case {"Fn::GetAtt": [str(ref), "StreamArn"]}:
                return f"{self._name(ref)}/stream"
            case {"Ref": str(ref)} | {"Fn::GetAtt": [str(ref), *_]}:
                return self._name(ref)
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(self.text(part) for part in parts)
        raise AssertionError(f"cannot read {value}")

    def _name(self, logical_id: str) -> str:
        resource = self.template["Resources"][logical_id]
        for key in ("TableName", "QueueName", "LogGroupName", "TopicName", "FunctionName"):
            if name := resource.get("Properties", {}).get(key):
                return self.text(name)
        return logical_id[:-8]  # without CDK's hash


def synthesise(stage: str, folder: Path, **context: str) -> Synthesis:
    """Synthesises a stage without bundling, so that nothing is installed."""
    settings: Mapping[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(
        outdir=str(folder),
        context={**settings, "stage": stage, "aws:cdk:bundling-stacks": [], **context},
    )
    stack = build(app, account="111111111111", region=context.get("region", "us-east-1"))
    app.synth()
    template = json.loads((folder / f"{stack.stack_name}.template.json").read_text())
    return Synthesis(folder, template)
