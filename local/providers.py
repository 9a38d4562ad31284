"""The providers.json of a local cloud: the three ESPs, all of them the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.failure import LocalCloudError
from local.servers import SandboxServer
from shared.config import Providers
from shared.errors import ConfigurationError

_PER_SECOND = 5000
"""Far more than a laptop sends: locally the pace is the machine's."""


def sandbox_providers(sandbox: SandboxServer) -> dict[str, Any]:
    """A document that points at the sandbox and trusts its keys."""
    limits = {"per_second": _PER_SECOND}
    identity = sandbox.identity
    return {
        "providers": [
            {
                "name": "sendgrid",
                "kind": "sendgrid",
                "weight": 40,
                "base_url": f"{sandbox.url}/sendgrid",
                "secret": "providers/sendgrid",
                "limits": limits,
                "webhook_public_key": identity["sendgrid_public_key"],
            },
            {
                "name": "ses",
                "kind": "ses",
                "weight": 40,
                "base_url": f"{sandbox.url}/ses",
                "configuration_set": "tidepost",
                "limits": limits,
                "topic_arns": [identity["topic_arn"]],
                "certificate_pem": identity["sns_certificate_pem"],
                "sns_base_url": f"{sandbox.url}/sns",
            },
            {
                "name": "postmark",
                "kind": "postmark",
                "weight": 20,
                "base_url": f"{sandbox.url}/postmark",
                "secret": "providers/postmark",
                "limits": limits,
            },
        ]
    }


def write_providers(path: Path, document: dict[str, Any]) -> Path:
    """Writes it where the deployment can read it."""
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def read_providers(path: Path) -> Providers:
    """A providers.json as the deployment will understand it.

    Raises:
        LocalCloudError: there is no such file, or it is not valid.
    """
    try:
        return Providers.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LocalCloudError(f"{path} cannot be read ({error}); name a providers.json") from error
    except ConfigurationError as error:
        raise LocalCloudError(f"{path}: {error}") from error
