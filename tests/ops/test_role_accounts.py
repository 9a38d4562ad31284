from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from ops import role_accounts
from shared.audience.role_accounts import ROLE_ACCOUNTS

SOURCE = "const MARKETING = [\n  'sales',\n  'pr',\n];\nmodule.exports = [...MARKETING];\n"


def test_a_module_of_the_packages_names() -> None:
    text = role_accounts.render(SOURCE, "9.9.9", "The Licence\n")
    assert "version 9.9.9" in text
    assert "The Licence" in text
    made: dict[str, object] = {}
    exec(compile(text, "made", "exec"), made)  # noqa: S102  # our own text
    assert made["ROLE_ACCOUNTS"] == {"sales", "pr"}


def test_another_form_of_the_package_is_told() -> None:
    with pytest.raises(ValueError, match="no names"):
        role_accounts.render("export default {}", "1", "")


def test_what_is_there_was_made_by_it() -> None:
    assert {"info", "sales", "postmaster", "abuse"} <= ROLE_ACCOUNTS
    assert "ann" not in ROLE_ACCOUNTS
    text = role_accounts.TARGET.read_text()
    version = text.partition("from version ")[2].partition(" ")[0]
    names = "".join(f"  '{name}',\n" for name in ROLE_ACCOUNTS)
    licence = text.partition("licence:\n\n")[2].partition('\n"""')[0]
    assert role_accounts.render(names, version, licence) == text


def test_the_package_is_fetched_by_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:

    def pack(command: list[str], *, cwd: str, **_: object) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["npm", "pack"]
        name = "role-based-email-addresses-9.9.9.tgz"
        with tarfile.open(Path(cwd) / name, "w:gz") as archive:
            for file, text in (("src/index.js", SOURCE), ("LICENSE", "L")):
                source = tmp_path / "source"
                source.write_text(text)
                archive.add(source, f"package/{file}")
        return subprocess.CompletedProcess(command, 0, stdout=f"{name}\n")

    monkeypatch.setattr(subprocess, "run", pack)
    monkeypatch.setattr(role_accounts, "TARGET", tmp_path / "made.py")
    assert role_accounts.main() == 0
    assert "pr sales" in (tmp_path / "made.py").read_text()
