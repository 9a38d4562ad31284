"""`python -m local.sandbox`: runs the ESP sandbox until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from local.sandbox.identity import IDENTITY_FILE
from local.sandbox.server import Sandbox, read_document
from shared.errors import ConfigurationError


def main(arguments: list[str] | None = None) -> int:
    """Runs until it is told to stop; 2 if it cannot start."""
    options = _options(arguments)
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        sandbox = Sandbox(
            options.state_dir,
            port=options.port,
            dns_port=options.dns_port,
            document=read_document(options.behaviour) if options.behaviour else None,
            verbose=options.verbose,
        )
    except (ConfigurationError, OSError, ValueError) as error:
        print(f"the ESP sandbox cannot start: {error}", file=sys.stderr)
        return 2
    sandbox.start()
    try:
        print(
            f"ESP sandbox on {sandbox.url}, DNS on 127.0.0.1:{sandbox.dns_port}; keys and"
            f" credentials in {options.state_dir / IDENTITY_FILE}",
            flush=True,
        )
        asked_to_stop.wait()
    finally:
        sandbox.stop()
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=4610, help="HTTP port; 0: any free one")
    parser.add_argument("--dns-port", type=int, default=4611, help="UDP port; 0: any free one")
    parser.add_argument("--state-dir", type=Path, default=Path(".local/sandbox"))
    parser.add_argument("--behaviour", type=Path, help="a behaviour document (JSON)")
    parser.add_argument("--verbose", action="store_true", help="one line per request")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
