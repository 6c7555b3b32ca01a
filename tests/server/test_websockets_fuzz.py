"""However the bytes of frames are cut, mixed and spoilt, both servers make the same of them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.http1.sites import LOOPS
from tests.server.raw_websockets import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame
from tests.server.two_websocket_servers import LIMIT, Outcome, Pair, two_servers

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = st.sampled_from(["/echo", "/slow", "/deflate"])
MASKS = st.binary(min_size=4, max_size=4)


@pytest.fixture(scope="module", params=LOOPS)
def servers(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with two_servers(LOOPS[request.param]) as pair:
        yield pair


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """Draw the frames of a message, pings and pongs between them."""
    if draw(st.booleans()):
        opcode, data = TEXT, draw(st.text(max_size=150)).encode()
    else:
        opcode, data = BINARY, draw(st.binary(max_size=LIMIT + 10))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    frames = []
    for at, piece in enumerate(pieces):
        # Near the limit, Tornado counts what is in a ping.
        if len(data) < LIMIT - 5 and draw(st.booleans()):
            frames.append(frame(draw(st.sampled_from([PING, PONG])), draw(st.binary(max_size=5))))
        final = at == len(pieces) - 1
        kind = CONTINUATION if at else opcode
        frames.append(frame(kind, piece, final=final, mask=draw(MASKS)))
    return frames


@st.composite
def compressed(draw: st.DrawFn) -> list[bytes]:
    """Draw messages that are compressed as one stream."""
    compressor = zlib.compressobj(wbits=-15)
    frames = []
    for data in draw(st.lists(st.binary(max_size=LIMIT - 1), max_size=4)):
        small = (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        cut = draw(st.integers(0, len(small)))
        frames.append(frame(BINARY, small[:cut], reserved=0x40, final=False))
        frames.append(frame(CONTINUATION, small[cut:]))
    return frames


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Draw where bytes are cut into what arrives at once."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


GOOD = st.lists(messages(), max_size=5).map(lambda each: [one for some in each for one in some])


def same(servers: Pair, path: str, pieces: list[bytes]) -> None:
    ours, theirs = servers.ours(path, pieces), servers.tornados(path, pieces)
    if theirs.reset or ours.reset:  # which may have destroyed some of the answer
        assert ours.seen == theirs.seen
    else:
        assert ours == theirs


def check_good(servers: Pair, data: st.DataObject) -> None:
    frames = data.draw(GOOD)
    end = data.draw(st.sampled_from([b"", close(None), close(1001, "bye"), frame(BINARY)[:3]]))
    same(servers, data.draw(PATHS), data.draw(cut(b"".join(frames) + end)))


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_both_make_the_same_of_messages(servers: Pair, data: st.DataObject) -> None:
    check_good(servers, data)


@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_both_make_the_same_of_compressed_messages(servers: Pair, data: st.DataObject) -> None:
    same(servers, "/deflate", data.draw(cut(b"".join(data.draw(compressed())))))


@st.composite
def spoilt(draw: st.DrawFn) -> list[bytes]:
    """Draw frames some of which break the rules."""
    frames = draw(GOOD)
    wild = st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=10),
        final=st.booleans(),
        reserved=st.sampled_from([0, 0, 0, 0x10, 0x20, 0x40, 0x70]),
        mask=st.sampled_from([b"abcd", None]),
        form=st.sampled_from([1, 1, 2, 8]),
    )
    closes = st.builds(close, st.integers(0, 5000), st.binary(max_size=4))
    for bad in draw(st.lists(wild | closes | st.binary(max_size=20), min_size=1, max_size=3)):
        frames.insert(draw(st.integers(0, len(frames))), bad)
    return frames


def agree(ours: Outcome, theirs: Outcome, path: str) -> None:
    """Both do the same, or ours has refused what Tornado's does not, or not with a word."""
    if ours.refusal is None and not ours.reset:  # which may have destroyed a refusal
        assert ours.seen == theirs.seen
        if not theirs.reset:
            assert ours.frames == theirs.frames
        return
    *seen, end = ours.seen
    told = _without_end(theirs.seen)
    # A ping in a compressed message makes Tornado take the message for a plain one.
    assert seen == told[: len(seen)] or path == "/deflate"
    assert end[1:] == theirs.seen[-1][1:] or end[1:] == (None, None)


def _without_end(seen: list[Any]) -> list[Any]:
    return [each for each in seen if each[:1] != ("close",)]


def check_spoilt(servers: Pair, data: st.DataObject) -> None:
    path = data.draw(PATHS)
    pieces = data.draw(cut(b"".join(data.draw(spoilt()))))
    agree(servers.ours(path, pieces), servers.tornados(path, pieces), path)


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_what_breaks_the_rules_is_refused_or_seen_alike(
    servers: Pair, data: st.DataObject
) -> None:
    check_spoilt(servers, data)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=1500, deadline=None)
def test_both_make_the_same_of_many_messages(servers: Pair, data: st.DataObject) -> None:
    check_good(servers, data)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=1500, deadline=None)
def test_much_that_breaks_the_rules(servers: Pair, data: st.DataObject) -> None:
    check_spoilt(servers, data)
