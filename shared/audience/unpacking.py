"""Unpacking gzip as a stream, with limits that a zip bomb runs into."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

from shared.audience.rows import unreadable

MAX_UNPACKED = 2 * 1024**3
"""Bytes. Two million rows of 1 KB."""
MAX_RATIO = 100
"""Unpacked bytes to packed ones. Files of people reach 5 to 30; deflate can reach 1,032."""
FREE_BYTES = 16 * 1_048_576
"""So much may be unpacked whatever the ratio."""

MAGIC = b"\x1f\x8b"
_BLOCK = 1_048_576
_GZIP = 16 + zlib.MAX_WBITS


def unpacked(read: Callable[[int, int], bytes]) -> Iterator[bytes]:
    """What a gzip file of one or several members holds, in pieces of at most 1 MiB.

    Raises:
        InvalidInput: it is no gzip, ends early, or is far larger than it pretends to be.
    """
    packed = size = 0
    stream = zlib.decompressobj(_GZIP)
    while block := read(packed, _BLOCK):
        packed += len(block)
        while block:
            if stream.eof:
                if not block.strip(b"\0"):  # padding after the last member (RFC 1952, 2.2)
                    break
                stream = zlib.decompressobj(_GZIP)
            try:
                piece = stream.decompress(block, _BLOCK)
            except zlib.error as error:
                raise unreadable(f"is not valid gzip near byte {packed}; pack it again") from error
            size += len(piece)
            _check(packed, size)
            if piece:
                yield piece
            block = stream.unconsumed_tail or stream.unused_data
    yield from _rest(stream, packed, size)


def _rest(stream: zlib._Decompress, packed: int, size: int) -> Iterator[bytes]:
    """What the decompressor still held back; at the end the file must be over too."""
    while not stream.eof:
        piece = stream.decompress(stream.unconsumed_tail, _BLOCK)
        size += len(piece)
        _check(packed, size)
        if not piece:
            raise unreadable(f"is a gzip that ends early, after {packed} bytes; upload it again")
        yield piece


def _check(packed: int, size: int) -> None:
    if size > MAX_UNPACKED:
        raise unreadable(f"unpacks to more than {MAX_UNPACKED} bytes; split it")
    if size > FREE_BYTES + MAX_RATIO * packed:
        raise unreadable(f"unpacks to more than {MAX_RATIO} times its size, which no list does")
