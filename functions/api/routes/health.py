"""Whether the API answers."""

from __future__ import annotations

from functions.api.endpoints import Endpoints
from functions.api.openapi import VERSION
from functions.api.schema import Answer
from functions.api.visit import CurrentServices

health = Endpoints("health", "/v1/health")


class HealthAnswer(Answer):
    """The release and stage that answer."""

    status: str
    version: str
    stage: str


@health.get("", scope=None)
def get_health(services: CurrentServices) -> HealthAnswer:
    """Say that the API answers.

    No key is needed and nothing behind the API is asked.
    """
    return HealthAnswer(status="ok", version=VERSION, stage=services.stage)
