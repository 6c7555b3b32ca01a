"""What tornkit overrides or relies on in Tornado is still what it was when we read it.

A test that fails here after an upgrade of Tornado is a request: read the new source beside
our override, adapt that if need be, then write the value that the failure shows.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import io
import textwrap
import token
import tokenize
from typing import TYPE_CHECKING

import pytest
from tornado.web import RequestHandler

from tests.test_fresh_import import modules

if TYPE_CHECKING:
    from collections.abc import Iterator

PINNED = {
    "tornado.web.RequestHandler._execute": "3a15f5bda173c858",
    "tornado.web.RequestHandler.finish": "e97b699d59df1f42",
    "tornado.web.RequestHandler.flush": "9ff0a427dbad8ec0",
    "tornado.web.RequestHandler._log": "5e5bae0c370860e6",
    "tornado.web.RequestHandler._handle_request_exception": "c4a7be4fb0d1340e",
    "tornado.web.RequestHandler.send_error": "00a4a50cacc36bb8",
    "tornado.web.RequestHandler.log_exception": "02ea719f41a05fa8",
    "tornado.web.RequestHandler.redirect": "5a53b9c8f2a5b3f7",
    "tornado.web.Application.get_handler_delegate": "193a1d16b60cfa8a",
    "tornado.web.Application.find_handler": "9ba62f9826a130fe",
    "tornado.web.Application.add_handlers": "5e465d636e0ddc72",
    "tornado.web._ApplicationRouter.get_target_delegate": "5448509a008f3e8e",
    "tornado.routing.RuleRouter.find_handler": "0f681870f089aa40",
    "tornado.routing.RuleRouter.add_rules": "6ba6c571b0a84e62",
    "tornado.routing.ReversibleRuleRouter.process_rule": "a8f05584d612a08a",
    "tornado.web._HandlerDelegate.execute": "5ac51d94ddb563e0",
    "tornado.web.StaticFileHandler.validate_absolute_path": "1c2019c067cf6be7",
    "tornado.web.StaticFileHandler.get_content_version": "51fa060831263dc8",
    "tornado.web.Application.__init__": "f749d560b35f3033",
    "tornado.web.Application.reverse_url": "4da275d45f4745a2",
    "tornado.web._ApplicationRouter.process_rule": "fbb72f16b44e4866",
    "tornado.routing.PathMatches.__init__": "ea6ff81e6a95070f",
    "tornado.routing.PathMatches.match": "67dc620db9258056",
    "tornado.routing.PathMatches.reverse": "ab90a9867e72c55c",
    "tornado.web.StaticFileHandler.get": "afd94c94db19f217",
    "tornado.web.RequestHandler.clear": "18e3400b6e8f42d8",
    "tornado.websocket.WebSocketHandler.get": "c616a6d375412ba4",
    "tornado.http1connection.HTTP1Connection._read_message_inner": "18a1125b0f6f7b9d",
    "tornado.http1connection.HTTP1Connection.finish": "0a2bb32d8e3129e8",
    "tornado.http1connection.HTTP1Connection._finish_request": "439bf83ef8c6d2e2",
    "tornado.web._HandlerDelegate.headers_received": "512be07a3d12ac06",
    "tornado.httpserver._HTTPRequestContext.__init__": "826cc4122b6fc976",
    "tornado.httputil.HTTPHeaders.__init__": "b397e42b8747089f",
    "tornado.httputil.HTTPHeaders.add": "79c2e901484a2a9a",
    "tornado.httputil.HTTPHeaders.get_all": "060b749ef4c56460",
    "tornado.httputil.HTTPHeaders.__setitem__": "db282791971d3b13",
    "tornado.httputil.HTTPHeaders.__getitem__": "f29240a1debebb90",
    "tornado.httputil.HTTPHeaders.__delitem__": "d87ffcb3664eb221",
    "tornado.httputil.HTTPHeaders.__contains__": "f9afdf21d64db5b7",
    "tornado.httputil.HTTPHeaders.__iter__": "c2d48e6d60f808af",
    "tornado.httputil.HTTPHeaders.__len__": "463354c9d5d4acb6",
    "tornado.httputil.HTTPHeaders.get_list": "25a9b658d420a822",
    "tornado.simple_httpclient.SimpleAsyncHTTPClient._connection_class": "98f4c7cdb9e90437",
    "tornado.simple_httpclient._HTTPConnection.on_connection_close": "f985a5f0469b3ebc",
    "tornado.tcpserver.TCPServer._handle_connection": "10d399bef9791d24",
    "tornado.httpserver.HTTPServer.initialize": "29e2d6067592bc7f",
    "tornado.httpserver.HTTPServer.start_request": "34d33f891a3f1f7c",
    "tornado.http1connection.HTTP1Connection.__init__": "91a893abbb0a3260",
    "tornado.http1connection.HTTP1Connection.write_headers": "c69f9f2fe666dd21",
    "tornado.http1connection.HTTP1Connection.write": "5f0ec41db8f60da8",
    "tornado.http1connection.HTTP1Connection._format_chunk": "cf2e30ee05144c62",
    "tornado.http1connection.HTTP1Connection._can_keep_alive": "e9155d004c923912",
    "tornado.http1connection.HTTP1Connection._parse_headers": "49c95b31eeec3c87",
    "tornado.http1connection.HTTP1Connection._read_body": "f35ba35672cf9ecc",
    "tornado.http1connection.HTTP1Connection._read_fixed_body": "54978203b8886815",
    "tornado.http1connection.HTTP1Connection._read_chunked_body": "4e71f72a9af64b13",
    "tornado.http1connection.HTTP1Connection._on_connection_close": "7ff5f334c85094a7",
    "tornado.http1connection.HTTP1Connection.close": "86dd99c2353035f9",
    "tornado.http1connection.HTTP1Connection.detach": "e9da70beda5b4b7f",
    "tornado.websocket.WebSocketHandler._detach_stream": "1d4ac0de58624396",
    "tornado.websocket.WebSocketHandler.on_connection_close": "1d2d71f1cf73f95e",
    "tornado.websocket.WebSocketProtocol._run_callback": "ac86894690de26c7",
    "tornado.websocket.WebSocketProtocol._abort": "61480d4b25c73dd6",
    "tornado.websocket.WebSocketProtocol._receive_frame_loop": "6d90b80aaf896d9a",
    "tornado.websocket.WebSocketProtocol13.__init__": "6e46b57400775d33",
    "tornado.websocket.WebSocketProtocol13._accept_connection": "c56fe28a4c817b24",
    "tornado.websocket.WebSocketProtocol13._receive_frame_loop": "cbabc3a7b6e0f83e",
    "tornado.websocket.WebSocketProtocol13._receive_frame": "f00f097815b4d709",
    "tornado.websocket.WebSocketProtocol13._handle_message": "c0ef443d55bbf640",
    "tornado.websocket.WebSocketProtocol13._write_frame": "f3b4ed30091251d6",
    "tornado.websocket.WebSocketProtocol13.write_message": "eb6547f7f8c7e0bb",
    "tornado.websocket.WebSocketProtocol13._send_pong": "c98bd772042a8190",
    "tornado.websocket.WebSocketProtocol13.close": "5f6e00656da246da",
    "tornado.websocket.WebSocketProtocol13.periodic_ping": "595787b3a3458a6b",
    "tornado.websocket._PerMessageDeflateCompressor.compress": "021373e7d46de335",
    "tornado.websocket._PerMessageDeflateDecompressor.decompress": "5b9664c003dffe6e",
    "tornado.httputil.HTTPHeaders.parse_line": "b83accb460ac84f8",
    "tornado.web.RequestHandler.__init__": "e03555fb98445431",
    "tornado.web.RequestHandler._break_cycles": "793b1ad6065bd2b0",
    "tornado.web._HandlerDelegate.__init__": "6a9fb9aa9cd9f5db",
    "tornado.web._HandlerDelegate.finish": "f650d34c727c5779",
    "tornado.routing._RoutingDelegate.headers_received": "b6fa9c762a4c1693",
    "tornado.routing.Router.start_request": "7390074191c1588f",
    "tornado.httputil.HTTPServerRequest.__init__": "04a218c613428cab",
}

SKIPPED = {
    *(token.ENCODING, token.ENDMARKER, token.NL),
    *(token.COMMENT, token.TYPE_COMMENT, token.TYPE_IGNORE),
}
# Python 3.12 and later take f-strings apart; Python 3.11 gives each as one string.
F_STRING = (getattr(token, "FSTRING_START", None), getattr(token, "FSTRING_END", None))


def tokens(source: str) -> Iterator[str]:
    """Yield the words of Python source, without comments, blank lines and docstrings."""
    lines = source.splitlines(keepends=True)
    start: tuple[int, int] | None = None
    depth = 0
    statement: list[str] = []
    docstring = False
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        if item.type == F_STRING[0]:
            start = start or item.start
            depth += 1
        elif item.type == F_STRING[1]:
            depth -= 1
            if not depth and start is not None:
                statement.append(_between(lines, start, item.end))
                start = None
        elif depth or item.type in SKIPPED:
            continue
        elif item.type in {token.INDENT, token.DEDENT}:
            yield token.tok_name[item.type]
        elif item.type == token.NEWLINE:
            if not (docstring and len(statement) == 1):
                yield from [*statement, "NEWLINE"]
            statement = []
        else:
            docstring = item.type == token.STRING
            statement.append(item.string)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    (first, column), (last, end_column) = start, end
    if first == last:
        return lines[first - 1][column:end_column]
    middle = lines[first : last - 1]
    return "".join([lines[first - 1][column:], *middle, lines[last - 1][:end_column]])


def fingerprint(source: str) -> str:
    """Return the same short hash for any layout, comments and docstrings, on any Python."""
    words = "\n".join(tokens(textwrap.dedent(source)))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def fingerprint_of(name: str) -> str:
    """Return the fingerprint of ``tornado.module.Class.method``."""
    module, class_name, method = name.rsplit(".", 2)
    function = getattr(getattr(importlib.import_module(module), class_name), method)
    return fingerprint(inspect.getsource(inspect.unwrap(function)))


@pytest.mark.parametrize("name", PINNED)
def test_tornado_is_what_we_read(name: str) -> None:
    found = fingerprint_of(name)
    assert found == PINNED[name], f"{name} is now {found}: read it again, then pin it"


def private_overrides(ours: type) -> Iterator[str]:
    """Yield every private method of Tornado that a class of ours replaces."""
    for name, value in vars(ours).items():
        private = name.startswith("_") and not name.startswith("__")
        if private and callable(getattr(value, "__func__", value)):
            for base in ours.__mro__[1:]:
                if base.__module__.startswith("tornado.") and name in vars(base):
                    yield f"{base.__module__}.{base.__qualname__}.{name}"


def test_every_private_method_we_override_is_pinned() -> None:
    for name in modules():
        for ours in vars(importlib.import_module(name)).values():
            if isinstance(ours, type) and ours.__module__ == name:
                missing = set(private_overrides(ours)) - set(PINNED)
                assert not missing, f"{name}.{ours.__qualname__} overrides what is not pinned"


def test_an_override_is_found_through_classes_between() -> None:
    class Between(RequestHandler):
        def _ours(self) -> None: ...

    class Ours(Between):
        def _log(self) -> None: ...
        def _ours(self) -> None: ...

    assert list(private_overrides(Ours)) == ["tornado.web.RequestHandler._log"]


def test_layout_comments_and_docstrings_do_not_count() -> None:
    one = (
        'async def f(a, b=1):\n    """Doc."""\n    x = "s"  # why\n    return f"{a!r:>{b}}" + x\n'
    )
    two = (
        'async def f(\n    a, b=1\n):\n\n    "Other."\n    x = "s"\n    return f"{a!r:>{b}}" + x\n'
    )
    # A class indents its methods; getsource() keeps that.
    three = textwrap.indent(one, "    ")
    # The value itself shows that every Python agrees.
    assert fingerprint(one) == fingerprint(two) == fingerprint(three) == "36f2c797339ec78f"


@pytest.mark.parametrize(
    "changed",
    [
        "def f(a):\n    if a:\n        g()\n    h(f'{a}')",
        "def f(a):\n    if a:\n        g()\n        h(f'{a}', 'x')",
        "def f(a):\n    if a:\n        g()\n    h(f'{a!r}', 'x')",
        "def f(a):\n    if a:\n        g()\n    h(f'{a}', 'y')",
        "async def f(a):\n    if a:\n        g()\n    h(f'{a}', 'x')",
    ],
)
def test_a_changed_word_or_indent_counts(changed: str) -> None:
    assert fingerprint(changed) != fingerprint(
        "def f(a):\n    if a:\n        g()\n    h(f'{a}', 'x')"
    )
