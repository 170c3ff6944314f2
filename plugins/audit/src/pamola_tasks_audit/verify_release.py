#!/usr/bin/env python3
"""Verify a release of pamola-tasks, a folder or a zip, by its signed manifest. One file, standard library only.

    python verify_release.py BUNDLE [--public-key KEY] [--approved-by KEY] [--run ID] [--recount]

Exits 0 if all is as it was released, 1 if not, 2 if BUNDLE or KEY is not one, 3 if it fails. --recount counts k, l and
t, too.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import IO, Any, NamedTuple

MANIFEST, KIND = "manifest.json", "pamola-tasks release"
ATTESTATION, IN_TOTO = "attestation.json", "application/vnd.in-toto+json"
_LARGEST_MANIFEST, _MOST_FILES = 64 << 20, 10_000
_WIDE = 0xFFFFFFFF  # in a zip: see the field of ZIP64
_HOLDS_MORE = "the zip holds a comment, extra fields, bytes before, between or after its files, or these overlap"
_DEFLATE = 1032  # no deflated file is so many times smaller than what it holds
_SIGNATURE = re.compile(rb',\n  "signature": "ed25519 ([0-9A-Za-z+/=]+) ([0-9A-Za-z+/=]+)"\n\}\n\Z')
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError)


class NoBundle(ValueError):
    """This is not a release, or one that is not safe to open."""


class Claim(NamedTuple):
    """A claim of a release beside what was counted in its table: `holds` is None where that cannot be counted."""

    what: str
    stated: object
    counted: object
    holds: bool | None
    why: str = ""


# ---------------------------------------------------------------- files


class Bundle:
    """The files of a release, none of which is written anywhere.

    Args:
        path: The folder or zip.

    Raises:
        NoBundle: It has no manifest; or it holds links, names that lead out of it, two files of one name, more than
            such a file can hold, or anything but its files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._deflated: dict[str, tuple[int, int]] = {}  # where in the zip, and how many bytes
        try:
            if not path.is_dir() and not path.is_file():
                raise NoBundle(f"{path} is neither a folder nor a zip")
            self.sizes = dict(self._in_folder()) if path.is_dir() else self._in_zip()
        except _UNREADABLE as problem:
            raise NoBundle(f"{path} cannot be read: {problem}") from None
        if self.sizes.get(MANIFEST, _WIDE) > _LARGEST_MANIFEST:
            raise NoBundle(f"{path} is not a release: it has no {MANIFEST} of at most {_LARGEST_MANIFEST >> 20} MiB")
        try:
            with self.open(MANIFEST) as file:
                self.signed = file.read(_LARGEST_MANIFEST + 1)
            self.manifest: dict[str, Any] = json.loads(self.signed)
            if (self.manifest["kind"], self.manifest["schema"]) != (KIND, 1):
                raise ValueError
            self.listed = {
                str(entry["path"]): {"bytes": int(entry["bytes"]), "sha256": str(entry["sha256"])}
                for entry in self.manifest["files"]
            }
            self.tables: list[dict[str, Any]] = list(self.manifest["tables"])
            self.approvers: dict[str, str] = dict(self.manifest.get("approvers") or {})  # names by public key
            self._beside = {MANIFEST, *([ATTESTATION] if self.manifest.get("attestation") else [])}
            for table in self.tables:
                self.listed[table["file"]], table["name"], table["format"], table["encrypted"]
        except (*_UNREADABLE, ValueError, RecursionError, KeyError, TypeError) as problem:
            raise NoBundle(f"{MANIFEST} is damaged, or of no release of schema 1: {type(problem).__name__}") from None

    def _in_folder(self) -> Iterator[tuple[str, int]]:
        left, found = [""], 0
        while left:
            folder, before = left.pop(), found
            with os.scandir(self.path / folder) as entries:
                for entry in entries:
                    name, kind = f"{folder}{entry.name}", entry.stat(follow_symlinks=False)
                    found += 1
                    if stat.S_ISDIR(kind.st_mode) and found <= _MOST_FILES:
                        left.append(f"{name}/")
                        continue
                    if not stat.S_ISREG(kind.st_mode) or found > _MOST_FILES:
                        raise NoBundle(f"{name!r} is a link or no file, or one of more than {_MOST_FILES:,} files")
                    yield name, kind.st_size
            if found == before:
                yield folder, 0  # an empty folder is no parent of a file: it was added

    def _in_zip(self) -> dict[str, int]:
        self._zip, sizes, seen = zipfile.ZipFile(self.path), {}, set()
        entries = self._zip.infolist()
        if len(entries) > _MOST_FILES:
            raise NoBundle(f"the zip holds more than {_MOST_FILES:,} files")
        for entry in entries:
            name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
            alike = unicodedata.normalize("NFC", name).casefold()
            if name != entry.orig_filename or re.search(r"[\\:\x00-\x1f]|(^|/)(\.\.?)?(/|$)", name):
                raise NoBundle(f"the zip holds a name that leads out of it: {name!r}")
            if alike in seen:
                raise NoBundle(f"the zip holds two files of the name {name!r}")
            plain = entry.flag_bits & ~6 == 0x800 or (entry.flag_bits & ~6 == 0 and name.isascii())
            if kind not in (0, stat.S_IFREG) or not plain or entry.compress_type not in (0, 8):
                raise NoBundle(f"{name!r} is a link, no file, or packed in another way than the files of a release")
            if entry.file_size > entry.compress_size * _DEFLATE + 64:
                raise NoBundle(f"{name!r} is said to hold more than it can")
            seen.add(alike)
            sizes[name] = entry.file_size
        with self.path.open("rb") as file:
            self._deflated = dict(_layout(file, entries, self._zip.start_dir))
        return sizes

    def open(self, name: str) -> IO[bytes]:
        """A file of the release, which is followed through no link."""
        if self._zip is not None:
            return self._zip.open(name)
        how = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return open(os.open(self.path / name, how), "rb")

    def problems(self) -> dict[str, str]:
        """What is wrong with each file that the manifest lists, and with each that it does not."""
        found = {name: "it was added" for name in self.sizes if name not in {*self._beside, *self.listed}}
        for name, entry in self.listed.items():
            try:
                if name not in self.sizes:
                    found[name] = "it is missing"
                elif self.sizes[name] != entry["bytes"]:
                    found[name] = f"{self.sizes[name]} bytes, not {entry['bytes']}"
                else:
                    with self.open(name) as file:
                        if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:  # type: ignore[arg-type]
                            found[name] = "its content was changed"
            except (*_UNREADABLE, KeyError) as problem:
                found[name] = f"it cannot be read: {problem}"
        hidden = (name for name in self._deflated if name not in found and not self._is_whole(*self._deflated[name]))
        return found | dict.fromkeys(hidden, "bytes are hidden behind its end")

    def _is_whole(self, place: int, left: int) -> bool:
        """Whether what is deflated at a place of the zip takes all of so many bytes."""
        stream = zlib.decompressobj(-15)
        with self.path.open("rb") as file:
            file.seek(place)
            while left and not stream.eof and (piece := file.read(min(left, 1 << 14))):
                left -= len(piece)
                stream.decompress(piece)
        return stream.eof and not left and not stream.unused_data

    @property
    def public_key(self) -> str:
        """The key that the manifest says it was signed with; empty where it was not."""
        found = _SIGNATURE.search(self.signed, max(0, len(self.signed) - 400))
        return found[1].decode() if found else ""

    def problem_of_signature(self, public: str) -> str:
        """Why the manifest was not signed with this key (base64) as it is; empty where it was."""
        found = _SIGNATURE.search(self.signed, max(0, len(self.signed) - 400))
        if not found:
            return "the manifest is not signed, or its signature was removed"
        if found[1].decode() != public:
            return "the manifest was signed with another key"
        try:
            key, signature = (base64.b64decode(text, validate=True) for text in found.groups())
        except ValueError:
            return "the signature is damaged"
        fits = base64.b64encode(signature) == found[2] and is_signature(
            self.signed[: found.start()] + b"\n}\n", key, signature
        )
        return "" if fits else "the manifest was changed since it was signed"

    def problem_of_run(self, run: str) -> str:
        """Why the release is not that of a run, given its id or how that begins; empty where it is."""
        found = str(self.manifest.get("run"))
        return "" if found.startswith(run) else f"this is the release of run {found}, another one"

    # ------------------------------------------------------------ the attestation

    def signed_by(self) -> list[str]:
        """The public keys whose signatures the attestation has, as it says."""
        try:
            return [str(each["keyid"]) for each in json.loads(self._attestation())["signatures"]]
        except (*_UNREADABLE, ValueError, KeyError, TypeError):
            return []

    def _attestation(self) -> bytes:
        with self.open(ATTESTATION) as file:
            return file.read(_LARGEST_MANIFEST)

    def statement(self) -> bytes:
        """The in-toto statement that is attested, as it is signed.

        Raises:
            ValueError: The envelope has another form than `envelope` gives it, so that something could be hidden in it.
        """
        data = self._attestation()
        told = json.loads(data)
        payload = base64.b64decode(told["payload"], validate=True)
        if data != envelope(payload, [(str(each["keyid"]), str(each["sig"])) for each in told["signatures"]]):
            raise ValueError
        return payload

    def problem_of_attestation(self, public: str = "") -> str:
        """Why the attestation is not of this release, by who signed the manifest and by named approvers only.

        Args:
            public: Who is to have signed it; unless given, who is said to have signed the manifest.
        """
        if not self.manifest.get("attestation"):
            return ""
        if ATTESTATION not in self.sizes:
            return "it is missing"
        try:
            payload = self.statement()
            statement, by = json.loads(payload), json.loads(self._attestation())["signatures"]
            subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
            keys = [each["keyid"] for each in by]
            fits = [is_signature(to_be_signed(payload), _decoded(each["keyid"]), _decoded(each["sig"])) for each in by]
        except (*_UNREADABLE, ValueError, RecursionError, KeyError, TypeError, AttributeError) as problem:
            return f"it is damaged, or holds more than a statement with signatures: {type(problem).__name__}"
        wanted = {name: entry["sha256"] for name, entry in self.listed.items()}
        if subjects != {MANIFEST: hashlib.sha256(self.signed).hexdigest(), **wanted}:
            return "it attests another release"
        if not all(fits):
            return "a signature does not fit: it was changed since it was signed"
        if keys[:1] != [public or self.public_key] or len(set(keys)) < len(keys):
            return "it was signed with another key, or twice with one"
        if strangers := [key for key in keys[1:] if key not in self.approvers]:
            return f"it has a signature of a stranger, who is not among its approvers: {', '.join(strangers)}"
        return ""

    def missing_approvals(self, wanted: Iterable[str] = ()) -> list[str]:
        """Who has not signed, of the approvers that the release names and of those that are asked for (public keys)."""
        there = self.signed_by()[1:] if self.manifest.get("attestation") else []
        return [self.approvers.get(key, key) for key in dict.fromkeys([*self.approvers, *wanted]) if key not in there]


def _decoded(text: str) -> bytes:
    """The bytes that a text in base64 is the one spelling of."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError
    return data


def envelope(payload: bytes, signatures: Sequence[tuple[str, str]]) -> bytes:
    """A DSSE envelope (github.com/secure-systems-lab/dsse, 1.0.2) of an in-toto statement.

    Args:
        payload: The statement.
        signatures: The public key and the signature of each who signed `to_be_signed(payload)`, in base64.
    """
    by = [{"keyid": key, "sig": signature} for key, signature in signatures]
    told = {"payloadType": IN_TOTO, "payload": base64.b64encode(payload).decode(), "signatures": by}
    return (json.dumps(told, indent=2) + "\n").encode()


def to_be_signed(payload: bytes) -> bytes:
    """What is signed of a statement: the pre-authentication encoding of DSSE."""
    return b"DSSEv1 %d %s %d %s" % (len(IN_TOTO), IN_TOTO.encode(), len(payload), payload)


def _layout(file: IO[bytes], entries: Sequence[zipfile.ZipInfo], start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Where each deflated file is, and its length, if the zip is its files in a row, their directory, from `start`, and
    its end, without any other byte, and says of each file the same in both places."""
    place, there = 0, start
    for entry in entries:
        numbers = (entry.file_size, entry.compress_size, place)
        file.seek(place)
        head = file.read(30).ljust(30, b"\0")
        name, extra = (file.read(length) for length in struct.unpack("<2H", head[26:]))
        fits = head[:4] == b"PK\3\4" and _says(head[22:26] + head[18:22], numbers[:2], extra)
        if entry.compress_type == zipfile.ZIP_DEFLATED:
            yield entry.filename, (file.tell(), entry.compress_size)
        place = file.tell() + entry.compress_size
        file.seek(there)
        of = file.read(46).ljust(46, b"\0")
        again, extra = (file.read(length) for length in struct.unpack("<2H", of[28:32]))
        there = file.tell()
        fits &= entry.compress_type == zipfile.ZIP_DEFLATED or numbers[0] == numbers[1]
        fits &= of[:4] == b"PK\1\2" and _says(of[24:28] + of[20:24] + of[42:46], numbers, extra)
        if not fits or of[32:36] != bytes(4) or (of[8:20], again) != (head[6:18], name):
            raise NoBundle(f"{_HOLDS_MORE} (see {entry.filename!r})")
    ends = (len(entries), len(entries), there - start, start)
    wide = struct.pack("<4sQ2H2L4Q4sLQL", b"PK\6\6", 44, 45, 45, 0, 0, *ends, b"PK\6\7", 0, there, 1)
    file.seek(there)
    end, last = file.read(200), struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *ends[:3], min(start, _WIDE), 0)
    if place != start or end not in (last, wide + last):
        raise NoBundle(f"{_HOLDS_MORE} (see its end)")


def _says(fields: bytes, numbers: Sequence[int], extra: bytes) -> bool:
    """Whether fields of 32 bits have these numbers, and the extra field the large ones (Python before 3.11.4: all)."""
    found = struct.unpack(f"<{len(numbers)}L", fields)
    large = [number for number, field in zip(numbers, found, strict=True) if field == _WIDE]
    wide = (large, [] if large else numbers)
    fits = extra in [struct.pack(f"<2H{len(each)}Q", 1, 8 * len(each), *each) if each else b"" for each in wide]
    return fits and all(field in (number, _WIDE) for number, field in zip(numbers, found, strict=True))


# ---------------------------------------------------------------- signatures


_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]


def is_signature(data: bytes, public: bytes, signature: bytes) -> bool:
    """Whether this is an Ed25519 signature of the data (RFC 8032, 5.1.7) by the owner of the public key, 32 bytes."""
    key, commitment = _point(public), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or commitment is None or scalar >= _L:
        return False
    digest = int.from_bytes(hashlib.sha512(signature[:32] + public + data).digest(), "little") % _L
    base = _point(b"\x58" + b"\x66" * 31)
    assert base is not None
    left, right = _times(scalar, base), _added(commitment, _times(digest, key))
    return not any((left[n] * right[2] - right[n] * left[2]) % _P for n in (0, 1))


def _point(data: bytes) -> _Point | None:
    """A point of the curve from its 32 bytes, in extended coordinates; None where they are not one."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(data) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _added(a: _Point, b: _Point) -> _Point:
    one, two = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    three, four = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = two - one, four - three, four + three, two + one
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    product = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            product = _added(product, point)
        point, scalar = _added(point, point), scalar >> 1
    return product


# ---------------------------------------------------------------- counting


def csv_rows(file: IO[bytes], table: Mapping[str, Any]) -> Iterator[list[str]]:
    """The rows of a CSV file of a release, its header first."""
    text = io.TextIOWrapper(file, encoding=table["encoding"], newline="")
    return _of_any_length(csv.reader(text, delimiter=table["delimiter"], quotechar=table["quotechar"], strict=True))


def _of_any_length(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    before = csv.field_size_limit(1 << 30)  # of all readers of the process
    try:
        yield from rows
    finally:
        csv.field_size_limit(before)


def recount(rows: Iterable[Sequence[str]], table: Mapping[str, Any]) -> list[Claim]:
    """Count the records, k, and the distinct values of each sensitive column, from the cells alone.

    Args:
        rows: The cells as text, a missing one empty; the header first.
        table: The entry of the table in the manifest.
    """
    try:
        return _counted(iter(rows), table)
    except (*_UNREADABLE, ValueError, LookupError, TypeError, AttributeError, csv.Error) as problem:
        why = f"the table cannot be read as the manifest has it: {type(problem).__name__}: {problem}"
        return [Claim("records", None, None, False, why)]


def _counted(rows: Iterator[Sequence[str]], table: Mapping[str, Any]) -> list[Claim]:
    columns = table["columns"]
    if list(next(rows, ())) != columns:
        raise ValueError("another header")
    quasi, measures = [columns.index(name) for name in table["quasi_identifiers"]], table.get("sensitive") or {}
    sensitive = {name: columns.index(name) for name in {**table["distinct"], **measures}}
    classes: Counter[tuple[str, ...]] = Counter()
    values: dict[str, _Values] = {name: defaultdict(Counter) for name in sensitive}
    for row in rows:
        row = row or [""] * (len(columns) == 1)  # a blank line is a missing cell
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells, where the header has {len(columns)}")
        of = tuple([row[n] for n in quasi])
        classes[of] += 1
        for name, number in sensitive.items():
            values[name][of][row[number]] += 1
    records = classes.total()
    found = [Claim("records", table["rows"], records, records == table["rows"])]
    where, stated = ", ".join(table["quasi_identifiers"]), table["claims"].get("k")
    if stated and table["counted"] != "records":
        why = f"it is counted in the {table['counted']}, which the table does not show"
        found.append(Claim(f"k on {where}", stated["measured"], None, None, why))
    elif stated:
        k = min(classes.values(), default=0)
        found.append(Claim(f"k on {where}", stated["measured"], k, k >= stated["measured"]))
    for name, least in table["distinct"].items():
        counted = min(map(len, values[name].values()), default=0)
        found.append(Claim(f"distinct l of {name}", least, counted, counted >= least))
    for name, said in measures.items():
        found += _measured(name, said, values[name], table)
    return found


_Values = defaultdict[tuple[str, ...], Counter[str]]  # of each class, how many records have each value
_TOLERANCE = 1e-6


def _measured(name: str, said: Mapping[str, Any], values: _Values, table: Mapping[str, Any]) -> Iterator[Claim]:
    """Entropy l and t of a sensitive column.

    A. Machanavajjhala and others: l-diversity, ACM TKDD 1(1), 2007; N. Li and others: t-closeness, ICDE 2007.
    """
    why = ""
    if table["counted"] != "records":
        why = f"it is counted in the {table['counted']}, which the table does not show"
    elif table["figures"].get("rows_suppressed_kept"):
        why = "suppressed records are in the table, and not in what was measured"
    if (least := said.get("l_entropy")) is not None:
        entropy = None if why else min((math.exp(_entropy(each)) for each in values.values()), default=0.0)
        holds = None if entropy is None else entropy >= least * (1 - _TOLERANCE)
        yield Claim(f"entropy l of {name}", least, _rounded(entropy), holds, why)
    if (most := said.get("t")) is not None:
        whole: Counter[str] = Counter()
        for each in values.values():
            whole.update(each)
        order = _ordered(whole) if said.get("t_distance") == "ordered" else []
        if order is None and not why:
            why = "the order of its values is not in the table"
        t = None if why else max((_distance(each, whole, order or []) for each in values.values()), default=0.0)
        yield Claim(f"t of {name}", most, _rounded(t), None if t is None else t <= most + _TOLERANCE, why)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)


def _entropy(counts: Mapping[str, int]) -> float:
    total = sum(counts.values())
    return -sum(count / total * math.log(count / total) for count in counts.values())


def _ordered(values: Iterable[str]) -> list[str] | None:
    """Numbers, dates (ISO 8601) and truth values in their order, a missing one last; None where they are none."""
    there = [value for value in values if value]
    missing: list[str] = [value for value in values if not value]
    try:
        numbers = {value: Decimal(value) for value in there}
        if all(number.is_finite() for number in numbers.values()):
            return sorted(there, key=numbers.__getitem__) + missing
    except InvalidOperation:
        pass
    texts = all(re.fullmatch(r"\d{4}-\d\d-\d\d([T ][\d:.]+)?|True|False", value) for value in there)
    return sorted(there) + missing if texts else None


def _distance(counts: Mapping[str, int], whole: Mapping[str, int], order: Sequence[str]) -> float:
    """The earth mover's distance between a class and the table: by an order, or where there is none by category."""
    of_class, of_table = sum(counts.values()), sum(whole.values())
    apart = {value: counts.get(value, 0) / of_class - number / of_table for value, number in whole.items()}
    if not order:
        return sum(map(abs, apart.values())) / 2
    moved, running = 0.0, 0.0
    for value in order[:-1]:
        running += apart[value]
        moved += abs(running)
    return moved / max(1, len(order) - 1)


def _recounted(bundle: Bundle) -> Iterator[Claim]:
    for table in bundle.tables:
        if table["format"] != "csv" or table["encrypted"] != "none":
            form = table["format"] if table["encrypted"] == "none" else f"a file encrypted by {table['encrypted']}"
            yield Claim(table["name"], None, None, None, f"this program does not read {form}")
        else:
            with bundle.open(table["file"]) as file:
                yield from recount(csv_rows(file, table), table)


def shown(text: str) -> str:
    """A text as it is printed: characters that would steer a terminal as escapes."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def public_key(given: str | None) -> str:
    """The public key that was given, or is in the file that was."""
    text = Path(given).read_text("ascii", "replace").strip() if given and Path(given).is_file() else given or ""
    if text and not re.fullmatch(r"[0-9A-Za-z+/]{43}=", text):
        raise NoBundle(f"{given} is neither a public key (32 bytes in base64) nor a file with one")
    return text


def main() -> int:
    """What was asked for; a fault of this program or its surroundings exits with 3, as no verdict on the bundle."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that its encoding lacks
    try:
        return _verify()
    except NoBundle as problem:
        print(shown(str(problem)), file=sys.stderr)
        return 2
    except Exception as problem:
        print(shown(f"nothing was verified: {type(problem).__name__}: {problem}"), file=sys.stderr)
        return 3


def _verify() -> int:
    asked = argparse.ArgumentParser(description="Verify a release: a folder or a zip with a signed manifest.")
    asked.add_argument("bundle", type=Path, help="the folder or zip")
    asked.add_argument("--public-key", metavar="KEY", help="who is to have signed it: the key, or a file with it")
    asked.add_argument("--approved-by", metavar="KEY", action="append", default=[], help="who is to have approved it")
    asked.add_argument("--run", metavar="ID", default="", help="the run that it is to be the release of")
    asked.add_argument("--recount", action="store_true", help="count what was claimed in the table")
    given = asked.parse_args()
    public, bundle = public_key(given.public_key), Bundle(given.bundle)
    problems = bundle.problems()
    if why := bundle.problem_of_attestation(public):
        problems[ATTESTATION] = why
    for name in sorted({*problems, *bundle.sizes, *bundle.listed} - ({MANIFEST} - problems.keys())):
        print(f"{'ALTERED' if name in problems else 'ok':8}{shown(name)}  {shown(problems.get(name, ''))}".rstrip())
    if public:
        why = bundle.problem_of_signature(public)
        print(f"{'ALTERED' if why else 'ok':8}signature  {why}".rstrip())
        problems |= {"signature": why} if why else {}
    else:
        whose = f"signed with {bundle.public_key}, not checked: whose is it? Say --public-key KEY"
        print(whose if bundle.public_key else "not signed: nothing shows who made it")
    if why := bundle.problem_of_run(given.run):
        print(f"ALTERED {why}")
        problems |= {"run": why}
    for name in bundle.missing_approvals(map(public_key, given.approved_by)):
        print(shown(f"MISSING the approval of {name}"))
        problems |= {"approval": name}
    for claim in _recounted(bundle) if given.recount and not problems else ():
        state = {True: "ok", False: "NOT MET", None: "unknown"}[claim.holds]
        print(shown(f"{state:8}{claim.what}: stated {claim.stated}, counted {claim.counted}  {claim.why}".rstrip()))
        problems |= {claim.what: "not met"} if claim.holds is False else {}
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
