"""Malformed requests, by mutation of a good one: each has a kind, and is the same for the same seed."""

from __future__ import annotations

import base64
import copy
import gzip
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal

import pyarrow as pa

__all__ = ["KINDS", "Attack", "Good", "attacks", "wrong"]

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"
BOUNDARY = "-----plait"
SECRET = "root:"  # of a file that is there and must not be read
PLACES = (
    "/etc/passwd",
    "file:///etc/passwd",
    "../../../../etc/passwd",
    "http://127.0.0.1:1/latest/meta-data",
    "https://example.com/a.png",
    "\\\\host\\share\\a.png",
)


@dataclass(frozen=True)
class Good:
    """A request that a model answers, and which of its columns are numbers and which are bytes of files."""

    body: Mapping[str, Any]
    numbers: tuple[str, ...]
    signals: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Mapping[str, Any], example: Mapping[str, Any]) -> Good:
        """From what ``/v1/schema`` says: the schema of a row, and an example."""
        columns: Mapping[str, Any] = row["properties"]
        numbers = tuple(name for name, told in columns.items() if told.get("type") in ("number", ["number", "null"]))
        return cls(example, numbers, tuple(name for name, told in columns.items() if "base64" in json.dumps(told)))


@dataclass(frozen=True)
class Attack:
    """One request that is wrong.

    It has to be answered by 4xx; where it may be "counted", also by an answer that counts the cell as unreadable; where
    it "may pass", by any answer that is no failure, for it may be whole by chance.
    """

    kind: str
    content: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    path: str = "/v1/predict"
    wanted: Literal["refused", "counted", "may pass"] = "refused"


def wrong(attack: Attack, status: int, headers: Mapping[str, str], content: bytes) -> str:
    """What is wrong with the answer to an attack; "": nothing."""
    text = content.decode("utf-8", "replace")
    if "Traceback" in text or 'File "' in text or "site-packages" in text:
        return "tells how it is built"
    if SECRET in text:
        return "tells what a file of the machine holds"
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", headers.get("x-request-id", "")):
        return "has no request id"
    if status >= 500 or (status < 400 and attack.wanted == "refused"):
        return f"status {status}"
    try:
        told = json.loads(content)
    except ValueError:
        return "is no JSON"
    if status < 400:
        return "" if told.get("faults") or attack.wanted == "may pass" else "counts no fault"
    error = told.get("error", {})
    message = error.get("message", "")
    if not message or "\n" in message or not error.get("code") or not error.get("request"):
        return "does not say what is wrong"
    return ""


Made = Callable[[Random, Good], Attack]


def _json(kind: str, told: object, **more: Any) -> Attack:
    return Attack(kind, json.dumps(told).encode(), **more)


def _cell(good: Good, column: str, cell: object) -> dict[str, Any]:
    body = copy.deepcopy(dict(good.body))
    body["rows"][0][column] = cell
    return body


def _raw(good: Good, column: str, written: str) -> bytes:
    """The good request with a cell that `json.dumps` would not write."""
    return json.dumps(_cell(good, column, "@@")).replace('"@@"', written).encode()


def truncated(rng: Random, good: Good) -> Attack:
    whole = json.dumps(good.body).encode()
    return Attack("truncated JSON", whole[: rng.randrange(len(whole))])


def garbled(rng: Random, good: Good) -> Attack:
    """A quote, brace or colon of the JSON becomes something else."""
    whole = bytearray(json.dumps(good.body).encode())
    places = [i for i, letter in enumerate(whole) if letter in b'{}[]":']
    whole[rng.choice(places[:8])] = 0x21
    return Attack("garbled JSON", bytes(whole))


def not_text(rng: Random, good: Good) -> Attack:
    whole = json.dumps(good.body)
    made = [rng.randbytes(rng.randrange(1, 400)) + b"\xff", b"\xff\xfe\x00", whole.encode() + b"\x80", b"\x00" * 64]
    return Attack("bytes that are no UTF-8", rng.choice(made))


def trailing(rng: Random, good: Good) -> Attack:
    return Attack("more after the JSON", json.dumps(good.body).encode() + rng.choice([b"{}", b"]", b"x", b",1"]))


def no_object(rng: Random, good: Good) -> Attack:
    return _json("no object", rng.choice([None, True, 3, "rows", [], [good.body], {}, [[]], -0.5]))


def no_rows(rng: Random, good: Good) -> Attack:
    made = rng.choice([None, {}, "rows", 3, [], [[]], [None], [3], ["row"], [good.body["rows"]], [{}]])
    return _json("rows that are none", {**good.body, "rows": made})


def deep(rng: Random, good: Good) -> Attack:
    depth = rng.choice([500, 5_000, 100_000, 1_000_000])
    nested = rng.choice(["[" * depth + "]" * depth, "[" * depth, '{"a":' * depth + "1" + "}" * depth])
    return Attack("deep nesting", rng.choice([nested.encode(), _raw(good, rng.choice(good.numbers), nested)]))


def twice(rng: Random, good: Good) -> Attack:
    column = rng.choice(good.numbers)
    row = f'{{"{column}": 1, "{column}": 2}}'
    body = {**good.body, "rows": "@@"}
    made = [json.dumps(body).replace('"@@"', f"[{row}]"), f'{{"rows": [], "rows": {json.dumps(good.body["rows"])}}}']
    return Attack("duplicate keys", rng.choice(made).encode())


def huge_number(rng: Random, good: Good) -> Attack:
    column = rng.choice(good.numbers)
    made = ["9" * rng.choice([400, 5_000, 100_000]), "1e400", "-1e999", f"{'1' * 5_000}.0e-1", "1" + "0" * 4_299]
    return Attack("huge numbers", _raw(good, column, rng.choice(made)))


def no_number(rng: Random, good: Good) -> Attack:
    literal = rng.choice(["NaN", "Infinity", "-Infinity", "0x10", "1_000", "+1", ".5", "01"])
    return Attack("numbers that JSON has not", _raw(good, rng.choice(good.numbers), literal))


def wrong_type(rng: Random, good: Good) -> Attack:
    made = ["12", "", "NaN", [], [1], {}, {"value": 1}, True, False, {"base64": "AAAA"}, [[1]]]
    return _json("wrong types", _cell(good, rng.choice(good.numbers), rng.choice(made)))


def surrogate(rng: Random, good: Good) -> Attack:
    column = rng.choice([name for name in good.body["rows"][0] if name not in good.numbers + good.signals])
    made = ['"\\ud800"', '"a\\udfffb"', '"\\ud83d\\ud83d"', '"\\u0000"', '"a\\u0000b"']
    return Attack("lone surrogates and NUL", _raw(good, column, rng.choice(made)))


def who(rng: Random, good: Good) -> Attack:
    name = rng.choice(
        ["../../etc/passwd", "nobody", "", 3, None, ["loans"], {"a": 1}, "loans\r\nX-Evil: 1", "a" * 9999]
    )
    key = rng.choice(["model", "version"])
    made = {**good.body, key: name}
    if name is None:
        made = {**made, "explain": rng.choice(["all", 3, [], {}])}
    return _json("models that are not there", made)


def settings(rng: Random, good: Good) -> Attack:
    made = {
        "explain": rng.choice(["all", 3, [], {}, True]),
        "sides": rng.choice(["x", 3, [1], {"links": "/etc/passwd"}]),
    }
    key = rng.choice(sorted(made))
    return _json("options that are none", {**good.body, key: made[key]})


def places(rng: Random, good: Good) -> Attack:
    """A path or URL where bytes are wanted, or a number is."""
    place = rng.choice(PLACES)
    made = [place, {"file": place}, {"path": place}, {"url": place}, [place], {"base64": place}, {"file": [place]}]
    column = rng.choice(good.signals or good.numbers)
    return _json("paths and URLs", _cell(good, column, rng.choice(made)))


def base64s(rng: Random, good: Good) -> Attack:
    column = rng.choice(good.signals or good.numbers)
    made = ["!!!!", "AAA", "A", "_-_-", "AAAA\u00e9", "AA==AA", 3, None, ["AAAA"], "=" * 40]
    return _json("wrong base64", _cell(good, column, {"base64": rng.choice(made)}))


def kinds_of_body(rng: Random, good: Good) -> Attack:
    kind = rng.choice(
        ["text/plain", "application/xml", "application/octet-stream", "", "json", "image/png", "a/b" * 99]
    )
    return Attack("other kinds of body", json.dumps(good.body).encode(), {"Content-Type": kind})


def zipped(rng: Random, good: Good) -> Attack:
    """A body of megabytes in kilobytes, said to be compressed."""
    large = b" " * (rng.choice([1, 32]) << 20)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("rows.json", large)
    content = rng.choice([gzip.compress(large, 9), zlib.compress(large, 9), sink.getvalue()])
    encoding = rng.choice(["gzip", "deflate", "br", "identity"])
    return Attack("zip bombs", content, {"Content-Type": JSON, "Content-Encoding": encoding})


def multipart(rng: Random, good: Good) -> Attack:
    request = json.dumps(good.body)
    part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="request"\r\n\r\n{request}\r\n'
    named = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="x"; filename="../../x"\r\n\r\n{{}}\r\n'
    end = f"--{BOUNDARY}--\r\n"
    made = [
        part,  # never ends
        named + end,  # no request
        part[:-20] + end,
        part.replace('; name="request"', "") + end,
        part.replace('name="request"', 'name="request"\r\nX-Evil: 1' * 50) + end,
        part.replace("\r\n\r\n", "\r\n") + end,
        f"--{BOUNDARY}\r\n" + "X-Long: " + "a" * 70_000 + "\r\n\r\n" + end,
        named * 3_000 + end,
        part + part.replace('"rows"', '"rows2"') + end,
        "",
        end,
        part.replace(BOUNDARY, "other"),
    ]
    kinds = [f"multipart/form-data; boundary={BOUNDARY}"] * 6 + [
        "multipart/form-data",
        "multipart/form-data; boundary=",
    ]
    return Attack("wrong multipart", rng.choice(made).encode(), {"Content-Type": rng.choice(kinds)})


def arrow(rng: Random, good: Good) -> Attack:
    column = rng.choice(good.numbers)
    table = pa.table({column: pa.array([1.0, 2.0])})
    whole = _stream(table)
    lengths = bytearray(whole)
    lengths[4:8] = struct.pack("<I", rng.choice([0x7FFFFFFF, 0xFFFFFFFF, 1 << 30]))
    made = [
        whole[: rng.randrange(len(whole) - 16)],
        rng.randbytes(rng.randrange(300)),
        bytes(lengths),
        json.dumps(good.body).encode(),
        _stream(table.slice(0, 0)),
        _stream(pa.table({column: pa.array(["one", "two"])})),
        _stream(pa.table({column: pa.array([[1.0], [2.0]])})),
        _stream(pa.table({"nobody": pa.array([1.0])})),
        _stream(pa.table({column: pa.array([float("inf")])})),
        b"",
    ]
    return Attack("wrong Arrow", rng.choice(made), {"Content-Type": ARROW})


def flipped(rng: Random, good: Good) -> Attack:
    """An Arrow stream of several kinds of columns with a few bits that are others."""
    columns = {name: pa.array([1.0, None, 3.0]) for name in good.numbers}
    texts = {name: pa.array(["a", None, "b" * 9]) for name, cell in good.body["rows"][0].items() if type(cell) is str}
    whole = bytearray(
        _stream(pa.table({**columns, **texts, **{name: pa.array([b"a", b"", None]) for name in good.signals}}))
    )
    for _ in range(rng.randrange(1, 6)):
        whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    return Attack("Arrow with flipped bits", bytes(whole), {"Content-Type": ARROW}, wanted="may pass")


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def injected(rng: Random, good: Good) -> Attack:
    """A malformed request whose id would be another header, or a line of the log."""
    name = rng.choice(["a b", "a" * 65, "a\tSet-Cookie: x=1", "{}", "../x", "", "a;b", '"', "%0d%0aX-Evil: 1"])
    return Attack("header injection", b"{", {"Content-Type": JSON, "X-Request-Id": name})


def elsewhere(rng: Random, good: Good) -> Attack:
    """Doors that are not there, and other doors with what they do not take."""
    made: list[tuple[str, object]] = [
        ("/v1/feedback", {"labels": [{"decision": "nobody.0", "label": 1}]}),
        ("/v1/feedback", {"labels": rng.choice([None, 3, [3], [{}], {}, "x"])}),
        ("/v1/feedback", {"labels": [{"decision": {"a": 1}, "label": 1}]}),
        ("/v1/explain", {"rows": []}),
        ("/v1/explain", {**good.body, "depth": "everything"}),
        ("/v1/desks/nobody/decide", {}),
        ("/v1/desks/credit/nothing", {}),
        ("/v1/desks/..%2f..%2fetc/passwd", {}),
        ("/v1/predict/../../etc/passwd", good.body),
        ("/v2/predict", good.body),
    ]
    path, told = rng.choice(made)
    return _json("other doors", told, path=path)


def too_many(rng: Random, good: Good) -> Attack:
    return _json("too many rows", {**good.body, "rows": [{good.numbers[0]: 1}] * 10_001})


def bombs(rng: Random, good: Good) -> Attack:
    """Small files that would be large pictures, and files that are none: refused, or counted as unreadable."""
    side = rng.choice([30_000, 65_000])
    picture = _png(side)
    made = [
        picture,
        picture[:60],
        b"GIF89a" + b"\xff" * 40,
        b"RIFF\xff\xff\xff\x7fWAVEfmt ",
        rng.randbytes(200),
        b"%PDF-1.7",
    ]
    content = base64.b64encode(rng.choice(made)).decode()
    return _json("bombs in cells", _cell(good, rng.choice(good.signals), {"base64": content}), wanted="counted")


def _png(side: int) -> bytes:
    """A black square PNG of so many pixels a side, in a few hundred bytes: its rows are missing."""

    def chunk(kind: bytes, held: bytes) -> bytes:
        return struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    held = zlib.compress(b"\x00" * (1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", held) + chunk(b"IEND", b"")


KINDS: tuple[Made, ...] = (
    truncated,
    garbled,
    not_text,
    trailing,
    no_object,
    no_rows,
    deep,
    twice,
    huge_number,
    no_number,
    wrong_type,
    surrogate,
    who,
    settings,
    places,
    base64s,
    kinds_of_body,
    zipped,
    multipart,
    arrow,
    flipped,
    injected,
    elsewhere,
    too_many,
    bombs,
)


def attacks(good: Good, number: int, seed: int, headers: Mapping[str, str] | None = None) -> Iterator[Attack]:
    """So many attacks, of all kinds in turn; `headers` (a key, say) go along with each."""
    rng = Random(seed)
    kinds = [kind for kind in KINDS if good.signals or kind is not bombs]
    for i in range(number):
        made = kinds[i % len(kinds)](rng, good)
        yield replace(made, headers={**made.headers, **(headers or {})})
