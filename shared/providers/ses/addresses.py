"""What SES takes: addresses and headers in ASCII, everything else encoded; and which files."""

from __future__ import annotations

import re
from email.header import Header
from email.utils import formataddr

from shared.mail import Capacity, Mailbox

INTERNATIONALISED_LOCAL_PART = "internationalised_local_part"

_FORBIDDEN = """
    ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its
    js jse ksh lib lnk mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh
    msh1 msh2 mshxml msh1xml msh2xml msi msp mst ops pcd pif plg prf prg reg scf scr sct shb shs
    sys ps1 ps1xml ps2 ps2xml psc1 psc2 tmp url vb vbe vbs vps vsmacros vss vst vsw vxd ws wsc wsf
    wsh xnk
"""
CAPACITY = Capacity(max_bytes=40_000_000, forbidden=frozenset(_FORBIDDEN.split()))
"""Of one message. https://docs.aws.amazon.com/ses/latest/dg/attachments.html"""

_NOT_IN_TAG = re.compile(r"[^A-Za-z0-9_-]+")
_TAG_LENGTH = 256


def cannot_take(address: str) -> str:
    """SES takes no address whose part before the @ is not ASCII."""
    return "" if address.rpartition("@")[0].isascii() else INTERNATIONALISED_LOCAL_PART


def ascii_address(address: str) -> str:
    """The address with its domain in Punycode; unchanged if that cannot be."""
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return address


def mailbox(box: Mailbox) -> str:
    """`Name <address>`: quoted, or in RFC 2047's encoded words where it is not ASCII."""
    address = ascii_address(box.address)
    if not box.name:
        return address
    if box.name.isascii():
        return formataddr((box.name, address))
    return f"{encoded(box.name)} <{address}>"


def encoded(text: str) -> str:
    """A header's text in ASCII, in as many encoded words of at most 75 characters as it needs."""
    return text if text.isascii() else Header(text, "utf-8").encode(linesep="", maxlinelen=75)


def tag_value(tag: str) -> str:
    """A tag in the characters that SES allows in one."""
    return _NOT_IN_TAG.sub("_", tag)[:_TAG_LENGTH]
