"""How to get the same model and the same report again: command, versions, seed, digests."""

from __future__ import annotations

import shlex

from plait.report.page import Block, Code, Prose, Section, Table
from plait.report.run import Run

__all__ = ["command", "section"]


def command(run: Run) -> str:
    """What fits this run again, to the letter of its plan."""
    record = run.record
    if told := record.get("command"):  # of a desk's verb
        return shlex.join([*told, "-o", f"{run.folder}-again"])
    data = record["data"]
    words = ["plait", "fit", data["path"], "--schema", str(run.folder / "schema.yaml"), "--task", record["task"]]
    words += ["--plan", str(run.folder / "run.json"), "--test", f"{data['test']:g}", "--seed", str(run.seed)]
    words += ["--jobs", str(record["threads"])]
    if data["read"]["encoding"] is not None:
        words += ["--encoding", data["read"]["encoding"]]
    if data["read"]["mask"]:
        words.append("--mask-personal")
    if data.get("streamed"):
        words.append("--stream")
    if record.get("calibration"):
        words += ["--calibrate", record["calibration"]["method"]]
    words += ["-o", f"{run.folder}-again"]
    return shlex.join(words)


def section(run: Run) -> Section:
    say, record = run.say, run.record
    report = shlex.join(["plait", "report", str(run.folder), "-o", "report.html"])
    digests = [(say("reproduction.data"), record["data"]["path"], record["data"]["sha256"])]
    digests += [(name, known["path"] or "", known["sha256"] or "") for name, known in record["data"]["sides"].items()]
    digests.append((say("reproduction.rows"), "", record["data"]["division"]))
    versions = tuple((name, str(version)) for name, version in record["versions"].items())
    asked = tuple((str(name), str(value)) for name, value in record["configuration"].items())
    blocks: list[Block] = [
        Prose(say("reproduction.how")),
        Code(f"$ {command(run)}\n$ {report}"),
        Table(say("reproduction.digests"), tuple(say("reproduction.digest_header").split("|")), tuple(digests), left=3),
        Table(say("reproduction.versions"), tuple(say("reproduction.version_header").split("|")), versions, left=2),
        Table(say("reproduction.asked"), tuple(say("reproduction.asked_header").split("|")), asked, left=2),
        *_parts(run),
    ]
    return Section.of("reproduction", say("reproduction.title"), blocks, say("reproduction.verdict", seed=run.seed))


def _parts(run: Run) -> list[Block]:
    """What was fitted, part by part, if the fusion is made of several."""
    parts = run.record["plan"].get("parts")
    if not parts:
        return []
    columns = list(dict.fromkeys(key for part in parts for key in part))
    rows = tuple(tuple("" if part.get(key) is None else str(part[key]) for key in columns) for part in parts)
    return [Table(run.say("reproduction.parts"), tuple(columns), rows, left=4)]
