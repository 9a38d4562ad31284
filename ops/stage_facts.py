"""What a stage's deployment consists of: what smoke looks for and preflight makes room for.

The stack itself is in `infra`; tests/ops holds this against what it synthesises.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import ConfigurationError

TABLES = (
    "workspaces", "api-keys", "subscribers", "memberships", "suppressions", "consents", "erasures",
    "signups", "campaigns", "ledger", "due", "rates", "frequency", "engagements", "counters",
    "jobs", "idempotency",
    "audit",
)  # fmt: skip
FUNCTIONS = (
    "api", "jobs", "scheduler", "dispatcher", "webhooks", "aggregator", "public", "warming_cron",
)  # fmt: skip
DEAD_LETTERS = (
    "bulk-dlq", "transactional-dlq", "jobs-dlq", "ses-events-dlq", "aggregator-dlq",
)  # fmt: skip
_SAID = (
    "bulk-age", "transactional-age", "scheduler-dead_letters_fed_back",
    "scheduler-campaigns_stopped", "scheduler-oldest_waiting_s", "scheduler-in_doubt",
    "scheduler-silent_providers", "scheduler-out_of_service_providers", "jobs-jobs_failed",
)  # fmt: skip
GATEWAYS = ("api", "webhooks", "public")
OUTPUTS = ("ApiId", "WebhooksApiId", "PublicApiId", "ApiUrl", "WebhooksUrl", "PublicUrl")
SES_EVENTS = frozenset(
    {
        "SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE",
        "DELIVERY_DELAY", "SUBSCRIPTION",
    }
)  # fmt: skip
"""Event types of SES v2's EventDestination."""


@dataclass(frozen=True, slots=True)
class Source:
    """A queue that feeds a function. `maximum` is its maximum concurrency, if it has one."""

    function: str
    queue: str
    batch: int
    partial: bool
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class StageFacts:
    """The names and numbers of one stage.

    `reserved`, `bulk` and `transactional` are the dispatcher's concurrency;
    `retention_days` is the logs'.
    """

    name: str
    reserved: int
    bulk: int
    transactional: int
    retains: bool
    firewall: bool
    retention_days: int

    @property
    def prefix(self) -> str:
        """Stands before every name, and is the stack's own."""
        return f"tidepost-{self.name}"

    @property
    def parameter_path(self) -> str:
        """Parent of the SSM parameters."""
        return f"/tidepost/{self.name}"

    @property
    def secret_prefix(self) -> str:
        """Parent of the secrets' names."""
        return f"tidepost/{self.name}"

    def full(self, name: str) -> str:
        """A table's, queue's or topic's full name."""
        return f"{self.prefix}-{name}"

    def function(self, name: str) -> str:
        """A function's full name."""
        return f"{self.prefix}-{name.replace('_', '-')}"

    @property
    def log_groups(self) -> tuple[str, ...]:
        """Every log group: the functions' and the gateways'."""
        functions = (f"/aws/lambda/{self.function(name)}" for name in FUNCTIONS)
        gateways = (f"/aws/vendedlogs/{self.prefix}-{name}" for name in GATEWAYS)
        return (*functions, *gateways)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Every alarm: per dead-letter queue and function, on old messages, and on what is said."""
        queues = (f"{self.prefix}-{name}" for name in DEAD_LETTERS)
        functions = (f"{self.prefix}-{name}-errors" for name in FUNCTIONS)
        return (*queues, *functions, *(f"{self.prefix}-{name}" for name in _SAID))

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every queue that feeds a function."""
        return (
            Source("dispatcher", "bulk", 1, partial=True, maximum=self.bulk),
            Source("dispatcher", "transactional", 10, partial=True, maximum=self.transactional),
            Source("jobs", "jobs", 1, partial=False),
            Source("scheduler", "bulk-dlq", 10, partial=True),
            Source("scheduler", "transactional-dlq", 10, partial=True),
            Source("webhooks", "ses-events", 10, partial=True),
        )


_STAGES = {
    facts.name: facts
    for facts in (
        StageFacts("local", 4, 2, 2, retains=False, firewall=False, retention_days=1),
        StageFacts("dev", 8, 4, 4, retains=False, firewall=False, retention_days=14),
        StageFacts("prod", 60, 40, 20, retains=True, firewall=True, retention_days=90),
    )
}
STAGES = tuple(_STAGES)


def facts_of(stage: str) -> StageFacts:
    """The facts of a stage.

    Raises:
        ConfigurationError: there is no such stage.
    """
    if stage not in _STAGES:
        raise ConfigurationError(f"there is no stage {stage!r}: say {', '.join(STAGES)}")
    return _STAGES[stage]
