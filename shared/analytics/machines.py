"""Opens and clicks that a machine made, as far as one event alone can tell.

The verdict is kept beside the raw user agent, so it can be computed again when
the rules get better. What needs more than one event (a click seconds after
delivery, every link at once) is not judged here.
"""

from __future__ import annotations

from enum import StrEnum


class MachineSign(StrEnum):
    """Why an open or a click is taken for a machine's."""

    FLAGGED = "flagged"
    """The ESP says so: SendGrid marks opens by Apple Mail Privacy Protection."""
    BARE_AGENT = "bare_agent"
    """`Mozilla/5.0` and nothing else: Apple's privacy proxies."""
    IMAGE_PROXY = "image_proxy"
    """A mailbox provider's image cache: a person may have looked, or nobody."""
    ROBOT = "robot"
    """The agent calls itself a program."""


_IMAGE_PROXIES = ("googleimageproxy", "yahoomailproxy")
_ROBOTS = ("bot", "crawler", "spider", "headless", "python-requests", "curl/", "wget/")


def machine_sign(user_agent: str, *, flagged: bool = False) -> MachineSign | None:
    """Why this open or click is a machine's; None if nothing says so.

    The rules are the same for every ESP, so that figures of ESPs with and
    without a flag of their own can be compared.
    """
    if flagged:
        return MachineSign.FLAGGED
    agent = user_agent.strip().lower()
    if agent == "mozilla/5.0":
        return MachineSign.BARE_AGENT
    if any(word in agent for word in _IMAGE_PROXIES):
        return MachineSign.IMAGE_PROXY
    if any(word in agent for word in _ROBOTS):
        return MachineSign.ROBOT
    return None
