import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience import unpacking as module
from shared.audience.unpacking import unpacked
from shared.errors import InvalidInput


def unpack(body: bytes) -> bytes:
    return b"".join(unpacked(lambda offset, length: body[offset : offset + length]))


def refusal(body: bytes) -> str:
    with pytest.raises(InvalidInput) as refused:
        unpack(body)
    return str(refused.value)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 50))
def test_members_one_after_another_in_blocks_of_any_size(parts: list[bytes], block: int) -> None:
    body = b"".join(gzip.compress(part, mtime=0) for part in parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        assert unpack(body) == b"".join(parts)


def test_padding_after_the_end_is_no_member() -> None:
    assert unpack(gzip.compress(b"x") + b"\0" * 600) == b"x"


def test_what_is_cut_off_is_refused() -> None:
    noise = random.Random(1).randbytes(100_000)  # noqa: S311  # no secret
    body = gzip.compress(noise)
    for length in (5, 12, 1000, len(body) - 8, len(body) - 1):
        assert "ends early" in refusal(body[:length]), length


def test_what_is_broken_is_refused() -> None:
    body = bytearray(gzip.compress(b"email\n" * 1000))
    body[-5] ^= 1
    assert "not valid gzip" in refusal(bytes(body))
    assert "not valid gzip" in refusal(gzip.compress(b"x") + b"rubbish")


def test_a_bomb_is_refused_long_before_it_fills_the_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"\0" * 1_048_576
    body = b"".join([*(packer.compress(zeros) for _ in range(300)), packer.flush()])
    assert len(body) < 400_000
    pieces = unpacked(lambda offset, length: body[offset : offset + length])
    sizes: list[int] = []
    with pytest.raises(InvalidInput, match="100 times its size"):
        sizes.extend(map(len, pieces))
    assert max(sizes) <= 1_048_576
    assert sum(sizes) < 70_000_000


def test_a_limit_on_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNPACKED", 1000)
    assert unpack(gzip.compress(b"x" * 1000)) == b"x" * 1000
    assert "more than 1000 bytes" in refusal(gzip.compress(b"x" * 1001))
