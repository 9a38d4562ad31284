"""boto3 clients for the emulator, as an operator's AWS tools would have them."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
ACCOUNT = "000000000000"
_KEY = "test"
_CONFIG = Config(
    connect_timeout=3, read_timeout=60, retries={"total_max_attempts": 3, "mode": "standard"}
)


def client(service: str, url: str, *, attempts: int = 3) -> Any:
    """A client of the emulator at `url`; nothing of the user's own AWS settings is used."""
    config = _CONFIG.merge(Config(retries={"total_max_attempts": attempts, "mode": "standard"}))
    session: Any = boto3.session.Session(
        aws_access_key_id=_KEY, aws_secret_access_key=_KEY, region_name=REGION
    )
    return session.client(service, endpoint_url=url, config=config)


def tool_environment(url: str) -> dict[str, str]:
    """The environment for AWS tools: this process's own without its AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
    }
