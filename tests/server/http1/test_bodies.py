"""Bodies are taken apart as they arrive, in pieces of a bounded size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPInputError

from tornkit.server.http1.bodies import Body, body_of


class Limits:
    _max_body_size = 1000


def body(**headers: str) -> Body:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    found = body_of(HTTPHeaders(given), Limits(), 16)
    assert found is not None
    return found


def take(reader: Body, *arriving: bytes) -> list[bytes]:
    inbox, pieces = bytearray(), []
    for data in arriving:
        inbox += data
        while (piece := reader.take(inbox)) is not None:
            pieces.append(piece)
    assert inbox == b"next" * reader.done
    return pieces


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 50))
def test_chunks_mean_the_same_however_they_are_cut(chunks: list[bytes], size: int) -> None:
    data = chunked(*chunks) + b"next"
    reader = body(Transfer_Encoding="chunked")
    pieces = take(reader, *(data[at : at + size] for at in range(0, len(data), size)))
    assert reader.done
    assert b"".join(pieces) == b"".join(chunks)
    assert all(0 < len(piece) <= 16 for piece in pieces)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_known_length_is_read_to_the_byte(content: bytes, size: int) -> None:
    data = content + b"next"
    reader = body(Content_Length=str(len(content)))
    pieces = take(reader, *(data[at : at + size] for at in range(0, len(data), size)))
    assert reader.done
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= 16 for piece in pieces)


def test_many_tiny_chunks_count_as_work_and_come_joined() -> None:
    reader = body(Transfer_Encoding="chunked")
    pieces = take(reader, chunked(*[b"x"] * 1000) + b"next")
    assert pieces == [b"x" * 16] * 62 + [b"x" * 8]
    assert reader.work >= 1000 * 1024


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(HTTPInputError, match="Content-Length too long"):
        body(Content_Length="1001")
    with pytest.raises(HTTPInputError, match="chunked body too large"):
        body(Transfer_Encoding="chunked").take(bytearray(b"3e9\r\n"))


def test_without_an_announcement_there_is_no_body() -> None:
    assert body_of(HTTPHeaders(), Limits(), 16) is None
