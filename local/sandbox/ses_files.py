"""The attachments of an SES message, as they arrive in the mail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from local.sandbox.mailbox import File

_UNSUPPORTED_FILES = frozenset(
    {
        *("ade", "adp", "app", "asp", "bas", "bat", "cer", "chm", "cmd", "com", "cpl", "crt"),
        *("csh", "der", "exe", "hta", "inf", "ins", "isp", "jse", "js", "ksh", "lnk", "mdb"),
        *("msc", "msi", "msp", "mst", "pcd", "pif", "ps1", "reg", "scr", "sct", "shs", "sys"),
        *("tmp", "url", "vb", "vbe", "vbs", "vxd", "ws", "wsc", "wsf", "wsh"),
    }
)
"""Those of the documented list that are still met with."""


def read_files(attachments: Any) -> list[File]:
    """The files of `Content.Simple.Attachments`.

    Raises:
        ValueError: SES would not take one of them.
    """
    files = []
    for one in attachments or ():
        name, kind = one.get("FileName"), one.get("ContentType", "application/octet-stream")
        if str(name).lower().rpartition(".")[2] in _UNSUPPORTED_FILES:
            raise ValueError("a file extension is not supported")
        file = File.read(name, kind, one.get("RawContent"), one.get("ContentId", ""))
        if one.get("ContentDisposition", "ATTACHMENT") not in ("ATTACHMENT", "INLINE"):
            raise ValueError("ContentDisposition must be ATTACHMENT or INLINE")
        # Seven bits are the default, and a file that has eight does not survive them.
        if one.get("ContentTransferEncoding", "SEVEN_BIT") != "BASE64":
            file = replace(file, content=bytes(byte & 0x7F for byte in file.content))
        files.append(file)
    return files
