"""Compression (RFC 7692): Tornado's, in memory that is taken only when it is needed."""

from __future__ import annotations

from tornado.websocket import _PerMessageDeflateCompressor, _PerMessageDeflateDecompressor

__all__ = ["Deflater", "Inflater"]


class Deflater(_PerMessageDeflateCompressor):
    """A compressor that remembers; it takes its memory, some 80 kB, at the first message."""

    def __init__(self, agreed: _PerMessageDeflateCompressor) -> None:
        """Compress as ``agreed``, which has not been used."""
        vars(self).update(vars(agreed), _compressor=None)

    def compress(self, data: bytes) -> bytes:
        """Compress a message."""
        if self._compressor is None:
            self._compressor = self._create_compressor()
        return super().compress(data)


class Inflater(_PerMessageDeflateDecompressor):
    """A decompressor that remembers, and that survives the end of a compressed stream."""

    def __init__(self, agreed: _PerMessageDeflateDecompressor) -> None:
        """Decompress as ``agreed``, which has not been used."""
        vars(self).update(vars(agreed), _decompressor=None)

    def decompress(self, data: bytes) -> bytes:
        """Decompress a message.

        Raises:
            _DecompressTooLargeError: it is larger than it may be.
            zlib.error: it is malformed.
        """
        if self._decompressor is None:
            self._decompressor = self._create_decompressor()
        whole = super().decompress(data)
        if self._decompressor.eof:  # type: ignore[attr-defined]  # it would keep all that follows
            self._decompressor = None
        return whole
