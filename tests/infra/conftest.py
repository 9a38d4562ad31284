from collections.abc import Callable
from functools import cache

import pytest

from tests.infra.synthesis import Synthesis, synthesise

STAGES = ("local", "dev", "prod")


@pytest.fixture(scope="session")
def synthesis(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synthesis]:
    """Each stage is synthesised once a session, when first asked for."""

    @cache
    def of(stage: str) -> Synthesis:
        return synthesise(stage, tmp_path_factory.mktemp(f"cdk-{stage}"))

    return of


@pytest.fixture(scope="session")
def prod(synthesis: Callable[[str], Synthesis]) -> Synthesis:
    return synthesis("prod")


@pytest.fixture(scope="session")
def local(synthesis: Callable[[str], Synthesis]) -> Synthesis:
    return synthesis("local")


@pytest.fixture(scope="session", params=STAGES)
def any_stage(request: pytest.FixtureRequest, synthesis: Callable[[str], Synthesis]) -> Synthesis:
    return synthesis(request.param)
