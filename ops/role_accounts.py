"""`python -m ops.role_accounts`: renews shared/audience/role_accounts.py from its npm package.

Needs npm. Run it about once a year, look at the difference, and commit it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import textwrap
from pathlib import Path

PACKAGE = "role-based-email-addresses"
TARGET = Path(__file__).parents[1] / "shared" / "audience" / "role_accounts.py"
_TIMEOUT_S = 120
_HEAD = '''"""Local parts that belong to a function and not to a person, such as `info` or `sales`.

Made by `python -m ops.role_accounts` from version {version} of the npm package
role-based-email-addresses, which is under this licence:

{licence}
"""

from __future__ import annotations

_NAMES = """
{names}
"""

ROLE_ACCOUNTS = frozenset(_NAMES.split())
'''


def render(source: str, version: str, licence: str) -> str:
    """The module's text from the package's JavaScript, version and licence.

    Raises:
        ValueError: the JavaScript holds no names; the package has changed its form.
    """
    names = sorted(set(re.findall(r"'([a-z0-9._+-]+)'", source)))
    if not names:
        raise ValueError(f"{PACKAGE} holds no names in the form that this command knows")
    block = textwrap.fill(
        " ".join(names),
        width=100,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return _HEAD.format(version=version, licence=licence.strip(), names=block)


def main() -> int:
    """Fetches the package by npm and rewrites the module; 0 if it went well."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
        name = packed.stdout.split()[-1]
        with tarfile.open(Path(folder) / name) as archive:
            texts = {file: _text(archive, file) for file in ("src/index.js", "LICENSE")}
    version = name.removeprefix(f"{PACKAGE}-").removesuffix(".tgz")
    TARGET.write_text(render(texts["src/index.js"], version, texts["LICENSE"]), encoding="utf-8")
    print(f"{TARGET.name} is of version {version} now")
    return 0


def _text(archive: tarfile.TarFile, file: str) -> str:
    member = archive.extractfile(f"package/{file}")
    if member is None:
        raise ValueError(f"{PACKAGE} has no {file}")
    return member.read().decode()


if __name__ == "__main__":
    sys.exit(main())
