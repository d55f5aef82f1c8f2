"""Bodies of forms: the parts of multipart/form-data by name, in memory alone."""

from __future__ import annotations

from typing import Final

from plait.serving.errors import RefusedError

__all__ = ["parts_of"]

PARTS: Final = 1_000  # of a form


def parts_of(body: bytes, content_type: str) -> dict[str, bytes]:
    """The parts of a form (RFC 7578) by name; nothing of them touches the disk.

    Raises
    ------
    RefusedError
        400 if the body is no form, a part has no name or that of another, or there are more than a thousand.
    """
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise RefusedError(400, "the Content-Type of the form names no boundary")
    gathered = _Gathered()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": gathered.begin,
            "on_header_field": gathered.field,
            "on_header_value": gathered.value,
            "on_header_end": gathered.header,
            "on_part_data": gathered.data,
            "on_part_end": gathered.end,
            "on_end": gathered.finish,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise RefusedError(400, "the body is not multipart/form-data with the boundary that the header names") from None
    if not gathered.whole:
        raise RefusedError(400, "the body of the form ends before its last boundary")
    return gathered.parts


class _Gathered:
    """What the parser has found so far."""

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}
        self.whole = False
        self.begin()

    def begin(self) -> None:
        self._field, self._value, self._disposition, self._data = bytearray(), bytearray(), b"", bytearray()

    def field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def end(self) -> None:
        from python_multipart.multipart import parse_options_header

        name = parse_options_header(self._disposition)[1].get(b"name", b"").decode("utf-8", "replace")
        if not name:
            raise RefusedError(400, "the form has a part without a name in its Content-Disposition")
        if name in self.parts:
            raise RefusedError(400, f"the form has the part {name[:60]!r} twice; keep one of them")
        if len(self.parts) == PARTS:
            raise RefusedError(400, f"the form has more than {PARTS:,} parts")
        self.parts[name] = bytes(self._data)

    def finish(self) -> None:
        self.whole = True
