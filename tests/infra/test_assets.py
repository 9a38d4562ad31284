"""What is packed: one asset a function, one layer, and nothing beside them."""

import hashlib
import json
from pathlib import Path

import pytest
from aws_cdk import App, Stack

from infra import python_function
from infra.python_function import ROOT, PackageLayer, function_code, layer_requirements
from infra.stages import Target, stage_of
from tests.infra.synthesis import Synthesis


def folders(stage: Synthesis) -> dict[str, Path]:
    """The function's asset in the cloud assembly, by function."""
    return {
        function["Handler"].split(".")[1]: stage.folder
        / f"asset.{function['Code']['S3Key'].removesuffix('.zip')}"
        for function in stage.properties("AWS::Lambda::Function")
    }


def test_a_functions_asset_has_its_folder_and_shared_alone(prod: Synthesis) -> None:
    for name, folder in folders(prod).items():
        assert {path.name for path in folder.iterdir()} == {"functions", "shared"}
        assert {path.name for path in (folder / "functions").iterdir()} == {"__init__.py", name}
        packed = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
        assert not [path for path in packed if "__pycache__" in path.parts]
        assert not [path for path in packed if path.name.startswith("test_")]
        sources = {
            path.relative_to(ROOT)
            for top in (ROOT / "shared", ROOT / "functions" / name)
            for path in top.rglob("*.py")
        }
        assert sources | {Path("functions/__init__.py")} <= packed


def test_every_function_has_an_asset_of_its_own(prod: Synthesis) -> None:
    assert len(set(folders(prod).values())) == 8


def test_a_change_in_one_function_changes_one_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / "functions" / name).mkdir(parents=True)
        (tmp_path / "functions" / name / "handler.py").write_text("before = 1\n")
    (tmp_path / "functions" / "__init__.py").touch()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "clock.py").write_text("now = 1\n")
    monkeypatch.setattr(python_function, "ROOT", tmp_path)

    def hashes() -> dict[str, str]:
        return {
            name: function_code(name).bind(Stack(App(), name)).s3_location.object_key  # type: ignore[union-attr]  # an asset always has one
            for name in ("one", "two")
        }

    before = hashes()
    (tmp_path / "functions" / "one" / "handler.py").write_text("after = 2\n")
    (tmp_path / "README.md").write_text("not packed\n")
    after = hashes()
    assert after["one"] != before["one"]
    assert after["two"] == before["two"]


REQUIREMENTS = """\
# compiled by uv
boto3==1.0 \\
    --hash=sha256:aa
    # via -r requirements/runtime.in
orjson==3.0 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
python-dateutil==2.9
six==1.17.0
urllib3==2.8.0 ; python_version >= '3.10' \\
    --hash=sha256:dd
"""


def test_the_layer_leaves_out_what_the_runtime_has() -> None:
    assert layer_requirements(REQUIREMENTS) == (
        "orjson==3.0 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
        "urllib3==2.8.0 ; python_version >= '3.10' \\\n    --hash=sha256:dd\n"
    )


def test_the_layer_has_all_else_that_is_pinned() -> None:
    text = (ROOT / "requirements" / "runtime.txt").read_text()
    kept = layer_requirements(text)
    for name in ("aws-lambda-powertools", "pydantic-core", "urllib3", "cryptography", "sendgrid"):
        assert f"\n{name}==" in f"\n{kept}"
    assert "botocore==" not in kept


def layer_hash(target: Target) -> str:
    installer = python_function._Installer("orjson==3.0\n", target)
    return installer.asset_hash


def test_target_python_and_packages_are_in_the_layers_hash() -> None:
    targets = [
        Target("3.13", "aarch64", host=False),
        Target("3.13", "x86_64", host=False),
        Target("3.12", "aarch64", host=False),
        Target("3.13", "aarch64", host=True),
    ]
    hashes = {layer_hash(target) for target in targets}
    other = python_function._Installer("orjson==3.1\n", targets[0]).asset_hash
    assert len(hashes | {other}) == 5


def test_a_synthesis_without_bundling_never_takes_the_real_layers_name(local: Synthesis) -> None:
    (layer,) = local.properties("AWS::Lambda::LayerVersion")
    unbundled = layer["Content"]["S3Key"].removesuffix(".zip")
    requirements = layer_requirements((ROOT / "requirements" / "runtime.txt").read_text())
    assert (
        unbundled != python_function._Installer(requirements, stage_of("local").target).asset_hash
    )
    assert len(unbundled) == hashlib.sha256().digest_size * 2


def test_the_layer_says_what_it_is_for() -> None:
    app = App(context={"aws:cdk:bundling-stacks": []})
    stack = Stack(app, "stack")
    PackageLayer(stack, "Layer", stage=stage_of("dev"))
    template = json.dumps(app.synth().get_stack_by_name("stack").template)
    assert '"CompatibleArchitectures": ["arm64"]' in template
    assert '"CompatibleRuntimes": ["python3.13"]' in template
