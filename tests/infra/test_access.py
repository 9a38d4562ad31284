"""Who may do what: the snapshot, and what must never be allowed whatever the snapshot says.

After a change of grants that is meant, write the snapshot anew with
`TIDEPOST_WRITE_SNAPSHOTS=1 pytest tests/infra/test_access.py` and read its diff.
"""

import json
import os
import re
from itertools import product
from pathlib import Path

import pytest

from infra import grants
from infra.python_function import ROOT
from tests.infra.synthesis import Synthesis

SNAPSHOT = Path(__file__).parent / "snapshots" / "actions.json"

# Actions that know no resource, or whose resources are made at run time.
WILDCARDS = {
    ("*", "xray:PutTelemetryRecords"),
    ("*", "xray:PutTraceSegments"),
    ("*", "ses:ListSuppressedDestinations"),
    ("*", "ses:PutSuppressedDestination"),
    ("*", "ses:DeleteSuppressedDestination"),
    *product(
        ["arn:<Partition>:ses:us-east-1:<AccountId>:identity/*"],
        ["ses:SendEmail", "ses:SendRawEmail", "ses:SendBulkEmail", "ses:SendBulkTemplatedEmail"],
    ),
    *product(["FilesBucket/*"], ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]),
    ("FilesBucket/*/messages/*", "s3:GetObject"),
}

Allowed = dict[str, dict[str, list[str]]]


def allowed(stage: Synthesis) -> Allowed:
    """Actions by function and resource."""
    found: Allowed = {}
    for policy in stage.properties("AWS::IAM::Policy"):
        (role,) = policy["Roles"]
        function = stage.template["Resources"][role["Ref"]]["Properties"]["Description"]
        name = re.fullmatch(r"What functions/(\w+) may do", function)
        assert name
        by_resource = found.setdefault(name[1], {})
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            actions, resources = statement["Action"], statement["Resource"]
            for resource in resources if isinstance(resources, list) else [resources]:
                by_resource.setdefault(stage.text(resource), []).extend(
                    actions if isinstance(actions, list) else [actions]
                )
    return {
        name: {resource: sorted(actions) for resource, actions in sorted(by_resource.items())}
        for name, by_resource in sorted(found.items())
    }


@pytest.fixture(scope="module")
def actions(prod: Synthesis) -> Allowed:
    return allowed(prod)


def having(actions: Allowed, resource: str, action: str) -> set[str]:
    return {name for name, may in actions.items() if action in may.get(resource, ())}


def test_the_allowed_actions_are_those_of_the_snapshot(actions: Allowed) -> None:
    if os.environ.get("TIDEPOST_WRITE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(actions, indent=2) + "\n")
    assert actions == json.loads(SNAPSHOT.read_text())


def test_dispatcher_cannot_touch_api_keys(actions: Allowed) -> None:
    assert not any("api-keys" in resource for resource in actions["dispatcher"])


def test_public_cannot_touch_campaigns(actions: Allowed) -> None:
    assert not any("campaigns" in resource for resource in actions["public"])


def test_public_can_neither_write_a_workspace_nor_start_a_job(actions: Allowed) -> None:
    public = actions["public"]
    assert not [action for action in public["tidepost-prod-workspaces"] if "Get" not in action
                and "Query" not in action]  # fmt: skip
    assert not any("api-keys" in resource or "Jobs" in resource for resource in public)
    assert not any("jobs" in resource or "Files" in resource for resource in public)


def test_only_jobs_can_delete_subscribers(actions: Allowed) -> None:
    for action in ("dynamodb:DeleteItem", "dynamodb:BatchWriteItem"):
        assert having(actions, "tidepost-prod-subscribers", action) == {"jobs"}


def test_only_who_takes_in_addresses_can_make_subscriber_ids(actions: Allowed) -> None:
    secret = (
        "arn:<Partition>:secretsmanager:<Region>:<AccountId>:secret:"
        "tidepost/prod/subscriber-id-key-??????"
    )
    assert having(actions, secret, "secretsmanager:GetSecretValue") == {"api", "jobs", "public"}


def test_only_dispatcher_can_send_mail(actions: Allowed) -> None:
    senders = {
        name
        for name, may in actions.items()
        for granted in may.values()
        if any(action.startswith("ses:Send") for action in granted)
    }
    assert senders == {"dispatcher"}


def test_only_jobs_can_change_the_ses_suppression_list(actions: Allowed) -> None:
    suppressors = {
        name
        for name, may in actions.items()
        for granted in may.values()
        if any("SuppressedDestination" in action for action in granted)
    }
    assert suppressors == {"jobs"}


def test_nobody_scans_and_nobody_has_a_wildcard_action(actions: Allowed) -> None:
    for may in actions.values():
        for granted in may.values():
            assert "dynamodb:Scan" not in granted
            assert not any("*" in action for action in granted)


def test_wildcard_resources_are_only_the_listed(actions: Allowed) -> None:
    found = {
        (resource, action)
        for may in actions.values()
        for resource, granted in may.items()
        for action in granted
        if "*" in resource
    }
    assert found == WILDCARDS


def test_no_role_has_a_policy_beside_its_own(any_stage: Synthesis) -> None:
    for logical_id, role in any_stage.all("AWS::IAM::Role").items():
        properties = role["Properties"]
        if logical_id.startswith("ApiRestCloudWatchRole"):
            continue  # API Gateway's, with AWS's own policy
        assert "ManagedPolicyArns" not in properties
        assert "Policies" not in properties
    assert len(any_stage.all("AWS::IAM::Policy")) == 8


def test_all_stages_allow_the_same_but_for_tracing(prod: Synthesis, local: Synthesis) -> None:
    in_prod = json.loads(json.dumps(allowed(prod)).replace("tidepost-prod", "tidepost-local"))
    in_local = allowed(local)
    for name, may in in_prod.items():
        of_all = {r.replace("/prod/", "/local/") for r in may} - {"*"}
        assert of_all == set(in_local[name]) - {"*"}


def document_rows() -> dict[str, dict[str, str]]:
    """The grants table of ARCHITECTURE.md: row → function → cell."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    lines = text.split("## Who may touch what")[1].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    header, _, *body = rows
    return {
        row[0]: {name: cell for name, cell in zip(header[1:], row[1:], strict=True) if cell}
        for row in body
    }


def test_the_grants_are_those_of_the_document() -> None:
    rows = document_rows()
    for table, letters in grants.TABLES.items():
        cells = {name: cell.split()[0] for name, cell in rows[table].items() if cell != "stream"}
        assert cells == letters, table
    indexes = {
        (name, table, cell.split()[1])
        for table in grants.TABLES
        for name, cell in rows[table].items()
        if " " in cell and not cell.endswith(" stream")
    }
    assert indexes == {
        (name, table, index) for name, pairs in grants.INDEXES.items() for table, index in pairs
    }


@pytest.mark.parametrize(
    ("row", "queues"),
    [
        ("bulk queue", {"bulk"}),
        ("transactional queue", {"transactional"}),
        ("bulk and transactional DLQ", {"bulk-dlq", "transactional-dlq"}),
        ("jobs queue", {"jobs"}),
        ("ses-events queue", {"ses-events"}),
    ],
)
def test_the_queues_grants_are_those_of_the_document(row: str, queues: set[str]) -> None:
    cells = document_rows()[row]
    for verb, granted in (("send", grants.SENDS), ("consume", grants.CONSUMES)):
        said = {name for name, cell in cells.items() if verb in cell}
        assert said == {name for name, having in granted.items() if queues & set(having)}


def test_the_secrets_and_parameters_are_those_of_the_document() -> None:
    rows = document_rows()
    for secret in ("subscriber-id-key", "message-id-key", "link-keys"):
        readers = {name for name, secrets in grants.SECRETS.items() if secret in secrets}
        assert set(rows[secret]) == readers
    assert set(rows["provider secrets"]) == set(grants.PROVIDER_SECRETS)
    assert set(rows["SES send"]) == set(grants.SES_SENDERS)
    assert set(rows["SES suppression list"]) == set(grants.SES_SUPPRESSORS)
    assert set(rows["files bucket"]) == {*grants.FILES, *grants.MESSAGE_FILES}
    assert {name: set(parameters) for name, parameters in grants.PARAMETERS.items()} == {
        name: set(cell.split(", ")) for name, cell in rows["parameters"].items()
    }
