"""The DynamoDB tables of ARCHITECTURE.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.stages import Stage


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    partition: str
    sort: str
    projection: dynamodb.ProjectionType = dynamodb.ProjectionType.ALL


_TABLES = (
    "workspaces",
    "api-keys",
    "subscribers",
    "memberships",
    "suppressions",
    "consents",
    "erasures",
    "signups",
    "campaigns",
    "ledger",
    "due",
    "rates",
    "frequency",
    "engagements",
    "counters",
    "jobs",
    "idempotency",
    "audit",
)

_INDEXES = {
    "api-keys": _Index("by_workspace", "workspace", "id"),
    "campaigns": _Index("active", "active", "sk", dynamodb.ProjectionType.KEYS_ONLY),
    "ledger": _Index("by_person", "person", "pk", dynamodb.ProjectionType.KEYS_ONLY),
    "engagements": _Index("by_subscriber", "person", "moment"),
}

_STREAMS = {"engagements": dynamodb.StreamViewType.NEW_IMAGE}


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


class Tables(Construct):
    """All tables by name, on demand, with point-in-time recovery and `ttl`."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.by_name: Mapping[str, dynamodb.TableV2] = {
            name: self._table(name, stage) for name in _TABLES
        }

    def _table(self, name: str, stage: Stage) -> dynamodb.TableV2:
        powertools = name == "idempotency"  # keys are set by the library
        table = dynamodb.TableV2(
            self,
            name,
            table_name=f"{stage.prefix}-{name}",
            partition_key=_text("id" if powertools else "pk"),
            sort_key=None if powertools else _text("sk"),
            billing=dynamodb.Billing.on_demand(),
            encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="ttl",
            dynamo_stream=_STREAMS.get(name),
            deletion_protection=stage.retain,
            removal_policy=stage.removal,
        )
        if index := _INDEXES.get(name):
            table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_text(index.partition),
                sort_key=_text(index.sort),
                projection_type=index.projection,
            )
        return table
