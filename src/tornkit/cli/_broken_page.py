"""The page that answers while the project does not start."""

from __future__ import annotations

import asyncio
import contextlib
import html

__all__ = ["answer"]

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:1rem;"
    "border-left:.25rem solid #c62828;background:#8881}"
)
_READ_SECONDS = 5.0


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str) -> None:
    """Answer one request with 503 and the error; the connection is closed."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _READ_SECONDS)
        writer.write(_response(text))
        await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _response(text: str) -> bytes:
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        # Asking again shows the page as soon as the mistake is corrected.
        '<meta http-equiv="refresh" content="2">'
        f"<title>The site does not start</title><style>{_STYLE}</style></head><body>"
        "<h1>The site does not start</h1><p>This page goes away when the mistake is corrected.</p>"
        f"<pre>{html.escape(text)}</pre></body></html>\n"
    ).encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Cache-Control: no-store\r\n"
        "Retry-After: 1\r\n"
        "Connection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
