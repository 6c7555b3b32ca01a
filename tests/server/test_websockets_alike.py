"""Whatever is sent, a handler sees what it sees on Tornado's server, and the client, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.http1.sites import LOOPS
from tests.server.raw_websockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close,
    deflated,
    frame,
    text,
)
from tests.server.two_websocket_servers import LIMIT, Pair, two_servers

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


def part(payload: bytes | str, final: bool = False) -> bytes:
    return frame(CONTINUATION, payload, final=final)


def first(payload: bytes | str) -> bytes:
    return frame(TEXT, payload, final=False)


HELLO = text("hello")
ALIKE = {
    "text": HELLO + text("") + text("é" * 100),
    "binary": frame(BINARY, bytes(range(256))) + frame(BINARY),
    "no mask bits": frame(TEXT, "hello", mask=b"\x00\x00\x00\x01"),
    "fragments": first("one ") + part("two ") + part("three", True) + HELLO,
    "empty fragments": first("") + part("") + part("", True) + HELLO,
    "ping": frame(PING, "now") + frame(PING) + frame(PING, b"x" * 125),
    "pong": frame(PONG, "then") + frame(PONG),
    "ping in fragments": first("one ") + frame(PING, "now") + part("two", True),
    "close in fragments": first("one ") + close(1001, "enough") + part("two", True),
    "character over two fragments": first(b"\xc3") + part(b"\xa9", True),
    "limit": frame(BINARY, bytes(LIMIT)) + HELLO,
    "limit in fragments": first("x" * 200) + part("x" * 100, True) + HELLO,
    "past the limit": frame(BINARY, bytes(LIMIT + 1)),
    "past the limit in fragments": first("x" * 200) + part("x" * 101, True),
    "head past the limit": frame(BINARY, bytes(LIMIT + 1))[:8],
    "huge": frame(BINARY, form=8)[:2] + b"\x7f" + b"\xff" * 7 + bytes(4),
    "close": close() + HELLO,
    "close without code": close(None),
    "close with reason": close(1000, "é" * 61),
    "close with code of an application": close(3000) + close(4999),
    "close with registered code": close(1012, "restart"),
    "half a head": frame(BINARY, bytes(200))[:1],
    "half a length": frame(BINARY, bytes(200))[:3],
    "half a mask": HELLO[:4],
    "half a frame": HELLO[:-1],
    "nothing": b"",
    "half a message": first("hello"),
}

DEFLATED = 0x40


ALIKE_DEFLATED = {
    "compressed": frame(TEXT, deflated(b"hello"), reserved=DEFLATED) + HELLO,
    "compressed to the limit": frame(BINARY, deflated(bytes(LIMIT - 1)), reserved=DEFLATED),
    "compressed past the limit": frame(BINARY, deflated(bytes(LIMIT + 1)), reserved=DEFLATED),
    "compressed fragments": frame(TEXT, deflated(b"hello")[:3], reserved=DEFLATED, final=False)
    + part(deflated(b"hello")[3:], True),
    "compressed nothing": frame(TEXT, deflated(b""), reserved=DEFLATED),
}

# What ours refuses, with a code that says why; Tornado's ends some of these without a word,
# and lets others pass.
REFUSED = {
    "not masked": (1002, frame(TEXT, "hello", mask=None)),
    "long length": (1002, frame(TEXT, "hello", form=2)),
    "longer length": (1002, frame(TEXT, "x" * 200, form=8)),
    "reserved bit 1": (1002, frame(TEXT, "hello", reserved=0x40)),
    "reserved bit 2": (1002, frame(TEXT, "hello", reserved=0x20)),
    "reserved bit 3": (1002, frame(TEXT, "hello", reserved=0x10)),
    **{f"type {opcode}": (1002, frame(opcode)) for opcode in (3, 4, 5, 6, 7)},
    **{f"control type {opcode}": (1002, frame(opcode)) for opcode in (11, 12, 13, 14, 15)},
    "type 3 in fragments": (1002, frame(3, final=False)),
    "fragment of nothing": (1002, part("hello", True)),
    "message in a message": (1002, first("one") + HELLO),
    "fragmented ping": (1002, frame(PING, final=False)),
    "long ping": (1002, frame(PING, b"x" * 126)),
    "long close": (1002, close(1000, b"x" * 124)),
    "ping with a reserved bit": (1002, frame(PING, reserved=0x20)),
    "not UTF-8": (1007, frame(TEXT, b"\xff")),
    "UTF-8 cut off": (1007, frame(TEXT, b"\xe2\x82")),
    "UTF-8 of a surrogate": (1007, frame(TEXT, b"\xed\xa0\x80")),
    "UTF-8 too long": (1007, frame(TEXT, b"\xc0\xaf")),
    "not UTF-8 in fragments": (1007, first(b"\xc3") + part("x", True)),
}
REFUSED_DEFLATED = {
    "compressed ping": (1002, frame(PING, reserved=DEFLATED)),
    "compressed second fragment": (
        1002,
        first("one") + frame(CONTINUATION, "two", reserved=DEFLATED),
    ),
    "compressed and reserved": (1002, frame(TEXT, deflated(b"x"), reserved=0x60)),
    "compressed badly": (1007, frame(TEXT, b"\xff\xff", reserved=DEFLATED)),
    "compressed not UTF-8": (1007, frame(TEXT, deflated(b"\xff"), reserved=DEFLATED)),
}
# Of a close frame, the handler is told the code, and the client what is wrong with it.
REFUSED_CLOSES = {
    **{
        f"close with {code}": (1002, code, close(code))
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "close with half a code": (1002, None, frame(CLOSE, b"\x03")),
    "close with a reason that is not UTF-8": (1007, 1000, close(1000, b"\xff")),
}


@pytest.fixture(scope="module", params=LOOPS)
def servers(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with two_servers(LOOPS[request.param]) as pair:
        yield pair


@pytest.mark.parametrize("path", ["/echo", "/slow", "/deflate"])
@pytest.mark.parametrize("case", ALIKE)
def test_both_do_the_same(servers: Pair, case: str, path: str) -> None:
    theirs = servers.tornados(path, [ALIKE[case]])
    ours = servers.ours(path, [ALIKE[case]])
    assert ours == theirs
    assert not ours.reset


@pytest.mark.parametrize("case", ALIKE_DEFLATED)
def test_both_do_the_same_with_what_is_compressed(servers: Pair, case: str) -> None:
    theirs = servers.tornados("/deflate", [ALIKE_DEFLATED[case]])
    assert servers.ours("/deflate", [ALIKE_DEFLATED[case]]) == theirs


@pytest.mark.parametrize("case", [*REFUSED, *REFUSED_DEFLATED])
def test_ours_says_why_it_refuses(servers: Pair, case: str) -> None:
    code, data = (REFUSED | REFUSED_DEFLATED)[case]
    path = "/echo" if case in REFUSED else "/deflate"
    ours = servers.ours(path, [HELLO, data, HELLO])
    assert ours.seen == ["open", "hello", ("close", None, None)]
    assert [each.opcode for each in ours.frames] == [TEXT, CLOSE]
    assert ours.frames[-1].payload[:2] == code.to_bytes(2, "big")
    assert len(ours.frames[-1].payload) > 12
    assert not ours.reset
    theirs = servers.tornados(path, [HELLO, data])
    assert theirs.seen[:2] == ["open", "hello"]


@pytest.mark.parametrize("case", REFUSED_CLOSES)
def test_ours_refuses_bad_closes(servers: Pair, case: str) -> None:
    code, told, data = REFUSED_CLOSES[case]
    ours = servers.ours("/echo", [HELLO, data])
    assert ours.seen == ["open", "hello", ("close", told, None)]
    assert ours.frames[-1].payload[:2] == code.to_bytes(2, "big")
    assert ours.seen == servers.tornados("/echo", [HELLO, data]).seen
