"""Bundles from who means harm, and signatures that nobody made."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import stat
import struct
import subprocess
import sys
import zipfile
import zlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pamola_tasks_audit import verify_release
from pamola_tasks_audit.verify_release import KIND, MANIFEST, Bundle, NoBundle, is_signature, recount

DATA = b"a\n1\n"
ENTRY = {"path": "data/t.csv", "bytes": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
TABLE = {"file": "data/t.csv", "name": "t", "format": "csv", "encrypted": "none"}
FILES = {MANIFEST: json.dumps({"schema": 1, "kind": KIND, "files": [ENTRY], "tables": [TABLE]}), "data/t.csv": DATA}


def pack(path, more=(), comment=b"", **changes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*FILES.items(), *more]:
            info = zipfile.ZipInfo(name)
            info.external_attr = changes.get("mode", 0o600 | stat.S_IFREG) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
        archive.comment = comment
    return path


def lie_about_size(path):
    """A zip whose directory says that a file is as large as no zip of its size can hold."""
    data = bytearray(pack(path).read_bytes())
    place = data.rfind(b"PK\x01\x02")
    data[place + 24 : place + 28] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)


def overlap(path):
    """The same bytes of a zip as the content of many files."""
    pack(path, [(f"data/{n}", os.urandom(500)) for n in range(2)])
    data = path.read_bytes()
    end = data.rfind(b"PK\x05\x06")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    entries = data[start:end]
    last = entries[entries.rfind(b"PK\x01\x02") :]
    more = b"".join(last.replace(b"data/1", f"data/{n}".encode()) for n in range(2, 9))
    tail = bytearray(data[end:])
    for place in (8, 10):
        tail[place : place + 2] = (11).to_bytes(2, "little")
    tail[12:16] = (len(entries) + len(more)).to_bytes(4, "little")
    path.write_bytes(data[:end] + more + bytes(tail))


def changed(
    path, *, local=b"", extra=b"", comment=b"", name=b"", flags=0, method=8, tail=b"", gap=b"", behind=b"", zip64=b""
):
    """The same zip, written by hand, with something that programs read otherwise, or not at all."""
    out, directory = b"", b""
    for number, (key, text) in enumerate(FILES.items()):
        data, key = text.encode() if isinstance(text, str) else text, key.encode()
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = deflate.compress(data) + deflate.flush() + tail * number if method == 8 else data
        facts = (flags, method, 0, 33, zlib.crc32(data), len(packed), len(data), len(key))
        place, more = len(out), local if number else b""
        out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *facts, len(more)) + (name if number and name else key) + more
        out += packed + (gap if not number else behind)
        more, remark = (extra, comment) if number else (b"", b"")
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 788, 20, *facts, len(more), len(remark), 0, 0, 0o100600 << 16, place
        )
        directory += key + more + remark
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(directory), len(out), 0)
    path.write_bytes(out + directory + zip64 + end)
    return path


UNICODE = struct.pack("<2HBL", 0x7075, 5 + 9, 1, zlib.crc32(b"data/t.csv")) + b"README.md"
HOLDS_MORE = {
    "a Unicode path in the directory": {"extra": UNICODE},
    "a Unicode path before the content": {"local": UNICODE},
    "times of Unix": {"extra": b"UT\5\0\3" + bytes(4), "local": b"UT\5\0\3" + bytes(4)},
    "a field of ZIP64 that is not needed": {"extra": struct.pack("<2HQ", 1, 8, 4)},
    "another name before the content": {"name": b"data/u.csv"},
    "a comment of a file": {"comment": b"see http://there"},
    "a file between files": {"gap": b"PK\3\4" + bytes(26)},
    "a file that the directory lacks": {"behind": b"PK\3\4" + bytes(26)},
    "bytes before the end": {"zip64": b"hidden"},
}


@pytest.mark.parametrize("what", HOLDS_MORE)
def test_a_zip_that_holds_more_than_its_files_is_refused(tmp_path, what):
    for method in (0, 8):
        assert not Bundle(changed(tmp_path / "good.zip", method=method)).problems()
    with pytest.raises(NoBundle, match=r"extra fields, bytes before|cannot be read"):
        Bundle(changed(tmp_path / "bad.zip", **HOLDS_MORE[what]))
    after = tmp_path / "after.zip"
    after.write_bytes((tmp_path / "good.zip").read_bytes() + b"hidden")
    with pytest.raises(NoBundle):
        Bundle(after)


def test_bytes_behind_what_is_deflated_are_found(tmp_path):
    bundle = Bundle(changed(tmp_path / "bad.zip", tail=b"hidden"))
    assert bundle.problems() == {"data/t.csv": "bytes are hidden behind its end"}


def test_large_files_are_read_as_the_library_writes_them(tmp_path, monkeypatch):
    """Fields of ZIP64, which a file of a GiB has before its content."""
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100600 << 16
            with archive.open(info, "w", force_zip64=True) as file:
                file.write(data.encode() if isinstance(data, str) else data)
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2)
    assert b"PK\6\6" in path.read_bytes()
    assert not Bundle(path).problems()
    data, older = bytearray(path.read_bytes()), tmp_path / "older.zip"
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    for size in (first.file_size, first.file_size + 1):
        data[18:26] = struct.pack("<2L", first.compress_size, size)  # in both fields, as Python before 3.11.4 does
        older.write_bytes(data)
        if size == first.file_size:
            assert not Bundle(older).problems()
        else:
            with pytest.raises(NoBundle):
                Bundle(older)


UNSAFE = {
    "../out.txt": lambda p: pack(p, [("../out.txt", b"x")]),
    "leads out": lambda p: pack(p, [("/etc/passwd", b"x")]),
    "C:": lambda p: pack(p, [("C:/x", b"x")]),
    "leads out of it: 'data/'": lambda p: pack(p, [("data/", b"")]),
    "two files": lambda p: pack(p, [("DATA/T.csv", b"x")]),
    "is a link": lambda p: pack(p, mode=0o777 | stat.S_IFLNK),
    "a comment": lambda p: pack(p, comment=b"hello"),
    "bytes before": lambda p: pack(p).write_bytes(b"#!/bin/sh\n" + p.read_bytes()),
    "more than it can": lie_about_size,
    "overlap": overlap,
    "cannot be read": lambda p: p.write_bytes(b"PK\x03\x04"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("says", UNSAFE)
def test_a_zip_that_is_not_safe_is_refused(tmp_path, says):
    assert not Bundle(pack(tmp_path / "good.zip")).problems()
    UNSAFE[says](tmp_path / "bad.zip")
    with pytest.raises(NoBundle, match=says.replace("/", ".")):
        Bundle(tmp_path / "bad.zip")


@pytest.fixture
def folder(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    assert not Bundle(tmp_path).problems()
    return tmp_path


def test_an_empty_folder_was_added(folder):
    (folder / "data/more/still").mkdir(parents=True)
    assert Bundle(folder).problems() == {"data/more/still/": "it was added"}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_what_the_verifier_itself_cannot_do_is_not_called_altered(folder, encoding):
    """Cyrillic letters on a screen that has none; a manifest that does not say how its table is written."""
    (folder / "data/t.csv").rename(folder / "data/возраст.csv")
    manifest = (folder / MANIFEST).read_text().replace("data/t.csv", "data/возраст.csv")
    (folder / MANIFEST).write_text(manifest, encoding="utf-8")
    command = [sys.executable, verify_release.__file__, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, "ok      data/\\u0432" in done.stdout) == (0, True), done.stderr
    done = subprocess.run([*command, "--recount"], capture_output=True, text=True, check=False)
    assert (done.returncode, "nothing was verified: KeyError" in done.stderr) == (3, True)


def test_a_pipe_is_no_bundle(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NoBundle, match="neither a folder nor a zip"):
        Bundle(tmp_path / "pipe")


def test_a_folder_with_a_link_is_refused(folder, tmp_path):
    (tmp_path / "data/t.csv").unlink()
    (tmp_path / "data/t.csv").symlink_to("/etc/passwd")
    with pytest.raises(NoBundle, match="is a link"):
        Bundle(tmp_path)


# RFC 8032, 7.1, tests 1 to 3
VECTORS = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signature"), [tuple(map(bytes.fromhex, v)) for v in VECTORS])
def test_signatures_of_the_standard(public, message, signature):
    assert is_signature(message, public, signature)
    assert not is_signature(message + b"x", public, signature)


def test_signatures_are_judged_as_the_library_judges_them():
    """A thousandth part of a signature, key or text is another; S + L is another spelling of S (RFC 8032, 8.4)."""
    key, text = Ed25519PrivateKey.generate(), os.urandom(100)
    public, signature = key.public_key().public_bytes_raw(), key.sign(text)
    assert is_signature(text, public, signature)
    order = 2**252 + 27742317777372353535851937790883648493
    again = (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not is_signature(text, public, signature[:32] + again)
    for place in range(0, 64, 5):
        other = bytes(b ^ (n == place) for n, b in enumerate(signature))
        assert not is_signature(text, public, other)
        assert not is_signature(text, bytes(b ^ (n == place // 2) for n, b in enumerate(public)), signature)
    assert not is_signature(text, public, signature[:-1])
    assert not is_signature(text, base64.b64encode(public), signature)


def test_a_changed_byte_anywhere_in_a_zip_is_found_or_changes_nothing(tmp_path):
    good, bad, draw = pack(tmp_path / "good.zip"), tmp_path / "bad.zip", random.Random(16)
    data = good.read_bytes()
    found = 0
    places = range(len(data)) if os.environ.get("PAMOLA_FUZZ") else draw.sample(range(len(data)), 150)
    for place in places:
        bad.write_bytes(data[:place] + bytes([data[place] ^ draw.randrange(1, 256)]) + data[place + 1 :])
        try:
            bundle = Bundle(bad)
            problems = bundle.problems()
        except NoBundle:
            found += 1
            continue
        if not problems and bundle.signed == FILES[MANIFEST].encode():
            with bundle.open("data/t.csv") as file:
                assert file.read() == DATA
        else:
            found += 1
    assert found > len(places) // 3


COUNTED = {
    "rows": 4, "columns": ["a", "s"], "quasi_identifiers": ["a"], "counted": "records",
    "claims": {"k": {"claimed": 2, "measured": 2}}, "distinct": {"s": 2},
}  # fmt: skip
ROWS = [["a", "s"], ["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]]


@pytest.mark.parametrize(
    ("rows", "changes", "holds"),
    [
        (ROWS, {}, [True, True, True]),
        (ROWS[:-1], {}, [False, False, False]),
        ([*ROWS[:-1], ["2", "x"]], {}, [True, True, False]),
        (ROWS, {"counted": "persons"}, [True, None, True]),
        (ROWS, {"quasi_identifiers": ["other"]}, [False]),
        ([["b", "s"], *ROWS[1:]], {}, [False]),
        ([*ROWS[:-1], []], {}, [False]),
        ([*ROWS, ["2", "x", "y"]], {}, [False]),
        ([["s"], ["x"], [], ["y"], []], {"columns": ["s"], "quasi_identifiers": ["s"], "distinct": {}}, [True, False]),
        ([["s"], [], [], ["y"], ["y"]], {"columns": ["s"], "quasi_identifiers": ["s"], "distinct": {}}, [True, True]),
        ([], {}, [False]),
        (ROWS, {"claims": None}, [False]),
    ],
)
def test_claims_are_counted_or_said_not_to_be(rows, changes, holds):
    assert [claim.holds for claim in recount(rows, {**COUNTED, **changes})] == holds
