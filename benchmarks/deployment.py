"""A deployment on the counting cloud: what the stack creates, and one workspace with people."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from benchmarks.mail import NOW, SENDER_DOMAIN, people, template
from shared.access.model import DomainState, SenderDomain
from shared.audience.model import MailingList
from shared.config import Settings
from shared.content.model import Template
from shared.ids import SubscriberIds, to_text
from shared.storage import tables
from shared.storage.clients import Clients
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.subscribers import DynamoSubscribers
from shared.storage.templates import DynamoTemplates

PROVIDERS = ("sendgrid", "postmark", "ses")

_STAGE = "bench"
_SECRET = "benchmark-" * 7


@dataclass(frozen=True, slots=True)
class Workspace:
    """The ids of what was put there."""

    workspace: str
    list_id: str
    template_id: str


def deploy(cloud_url: str, esp_url: str, provider: str) -> Settings:
    """Tables, queues, parameters and secrets, and the environment that all functions read.

    All mail goes through `provider`: the others have no weight.
    """
    os.environ |= {
        "AWS_ENDPOINT_URL": cloud_url,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TIDEPOST_STAGE": _STAGE,
        "TIDEPOST_TABLE_PREFIX": f"tidepost-{_STAGE}",
        "TIDEPOST_PARAMETER_PATH": f"/tidepost/{_STAGE}",
        "TIDEPOST_SECRET_PREFIX": f"tidepost/{_STAGE}",
    }
    clients = Clients(Settings.from_env(os.environ))
    # Moto loads a service at its first call, which may outlast the time-out: let it be a read.
    clients.ssm.describe_parameters(MaxResults=1)
    clients.secretsmanager.list_secrets(MaxResults=1)
    for queue in ("bulk", "transactional", "jobs", "bulk-dlq", "transactional-dlq"):
        url = clients.sqs.create_queue(QueueName=f"tidepost-{_STAGE}-{queue}")["QueueUrl"]
        name = queue.replace("-", "_").upper()
        os.environ[f"TIDEPOST_{name}{'' if 'dlq' in queue else '_QUEUE'}_URL"] = url
    settings = Settings.from_env(os.environ)
    parameters = {
        "providers": _providers(esp_url, provider),
        "deployment": {"public_url": esp_url},
        "delivery_rules": {},
    }
    for name, value in parameters.items():
        clients.ssm.put_parameter(
            Name=f"{settings.parameter_path}/{name}", Value=json.dumps(value), Type="String"
        )
    secrets = {
        "subscriber-id-key": _SECRET,
        "message-id-key": _SECRET,
        "link-keys": json.dumps({"current": "k1", "k1": _SECRET}),
        "sendgrid": json.dumps({"api_key": "bench"}),
        "postmark": json.dumps({"server_token": "bench"}),
    }
    for name, secret in secrets.items():
        clients.secretsmanager.create_secret(Name=settings.secret(name), SecretString=secret)
    tables.bind(settings.table_prefix, settings.region, settings.endpoint_url)
    tables.create_all()
    return settings


def populate(count: int) -> Workspace:
    """A workspace with a verified sender, a template, and a list of `count` people."""
    made = Workspace(
        workspace=to_text("ws", b"workspace-01"),
        list_id=to_text("lst", b"list-000-001"),
        template_id=to_text("tpl", b"template-001"),
    )
    domains = DynamoSenderDomains()
    domain = SenderDomain(
        to_text("dom", b"domain-00001"), made.workspace, SENDER_DOMAIN, "token", NOW,
        DomainState.PENDING,
    )  # fmt: skip
    domains.create(domain)
    domains.verify(domain, NOW)
    DynamoLists().create(MailingList(made.list_id, made.workspace, "Newsletter", NOW))
    DynamoTemplates().create(Template(made.template_id, made.workspace, "Finds", template(), NOW))
    ids = SubscriberIds(_SECRET.encode())
    members = list(people(count, made.workspace, made.list_id, ids))
    DynamoSubscribers().put_many(members)
    DynamoMemberships().add(made.workspace, made.list_id, [person.id for person in members])
    return made


def _providers(esp_url: str, chosen: str) -> dict[str, object]:
    weights = {name: int(name == chosen) for name in PROVIDERS}
    common = {
        name: {"name": name, "kind": name, "weight": weight, "base_url": esp_url}
        for name, weight in weights.items()
    }
    for name in ("sendgrid", "postmark"):
        common[name]["secret"] = name
    return {"providers": list(common.values())}
