"""Names of the corpus's families that the corpus does not hold, made by rule: all of them, over every operation."""

from __future__ import annotations

import os
import socket
import unicodedata
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_paths.saferoot import SafeRoot

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs symbolic links, pipes and sockets")

EVERY_CHARACTER = [chr(code) for code in range(0x110000)]
PARENTS = (".", "a/.", "a/./", "./", "a//", "b/../")
DEVICES = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
DEVICES += [port + number for port in ("com", "lpt") for number in "123456789\u00b9\u00b2\u00b3"]
DEVICE_FORMS = ("{}", "{}.txt", "{}.tar.gz", "a/{}", "a/{}/b", "{} ", "{}.", "{} .txt", "{}:", "{}::$DATA", "./{}")
DEVICE_FORMS += ("a\\{}", "a\\{}.csv", "{}..csv", "{}\u3000.txt", "{}\u00a0.csv", "x/../{}")
DOTS = (
    "%2e",
    "%2E",
    "%252e",
    "%25252e",
    "%c0%ae",
    "%e0%80%ae",
    "%f0%80%80%ae",
    "%u002e",
    "%uff0e",
    "%u2024",
    "%%32%65",
)
SLASHES = ("%2f", "%2F", "%252f", "%5c", "%255c", "%c0%af", "%c1%9c", "%e0%80%af", "%u2215", "%u2216", "%%35%63")
SMALL_DOTS = "\u2024\uff0e\ufe52\uff61\u3002"
SMALL_SLASHES = "\u2044\u2215\u29f8\u2571\uff0f\u2216\u29f5\u29f9\uff3c\ufe68"
COLONS = "\uff1a\ufe13\ufe55\u2236\ua789"
PROTECTED = (".git", ".hg", ".svn", ".bzr", ".pamola-tasks")


def traversal() -> Iterator[str]:
    for depth in (1, 2, 3, 40):
        up = "/".join([".."] * depth)
        yield from (up, up + "/", f"{up}/x", f"./{up}/x", f"{up}//x", f"/{up}", f"a/{'../' * (depth + 1)}x")
        yield from (f"a/b/{'../' * (depth + 2)}", f"a/./b/../../{up}", f"{up}/.", f"a/{up}/{up}/x")


def encoding() -> Iterator[str]:
    for one, two in product((".", *DOTS), repeat=2):
        if one + two != "..":
            yield from (f"{one}{two}/x", f"a/{one}{two}/{one}{two}/x", one + two)
    for dots, slash in product(("..", "%2e%2e", "%252e."), SLASHES):
        yield from (f"{dots}{slash}x", f"a{slash}{dots}{slash}{dots}{slash}x", f"{slash}etc{slash}passwd")
    yield from (
        "C%3a%5cx",
        "C%3A/x",
        "a.csv%00.png",
        "%00",
        "a%0d%0aX",
        "a%2500b",
        "a\udcff",
        "\udcc0\udcae/x",
        "\ud800",
    )
    yield from ("\uffff.csv", "a\ufffe", "\ufdd0")


def folding() -> Iterator[str]:
    for one, two in product("." + SMALL_DOTS, repeat=2):
        if one + two != "..":
            yield from (f"{one}{two}/x", f"a/{one}{two}/{one}{two}/x", one + two)
    for slash in SMALL_SLASHES:
        yield from (f"..{slash}x", f"a{slash}..{slash}..{slash}x", f"{slash}etc{slash}passwd", f"{slash}{slash}srv")
    for colon in COLONS:
        yield from (f"C{colon}/x", f"C{colon}\\x", f"\uff23{colon}x")
    yield from (
        "\u2025",
        "\u2025/x",
        "a/\u2025/\u2025",
        "\u2026/x",
        "\ufe19/x",
        "\ufe30/x",
        "\uff23\uff2f\uff2e",
        "\u24d2on",
    )


def control() -> Iterator[str]:
    for sign in EVERY_CHARACTER:
        if unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp"):
            yield from (f"a{sign}b.csv", sign, f".g{sign}it/config", f"a{sign}", f"{sign}a")
    for blank in "\u034f\u115f\u1160\u17b4\u2800\u3164\uffa0":
        yield from (blank, f"{blank}.csv", f"a{blank}b")
    yield from ("\u200d\u0627", "\u0627\u200c", "\u0627\u200c\u200c\u0627", "\u0627\u200ca", "a\u200d\u0627")


def blank() -> Iterator[str]:
    for sign in [sign for sign in EVERY_CHARACTER if unicodedata.category(sign) == "Zs"]:
        yield from (sign, sign * 3, f"{sign}/{sign}", f"a/{sign}", f"a.csv{sign}", f"a{sign}/b")
    yield from ("", "\t", "\r", "\n\n", "/", "//", "///", "/ ", "/.")


def devices() -> Iterator[str]:
    for name, form in product(DEVICES, DEVICE_FORMS):
        yield from (form.format(name), form.format(name.upper()), form.format(name.capitalize()))


def windows_roots() -> Iterator[str]:
    for letter in "aCzZ":
        for rest in ("", "x", "\\x", "/x", "..\\x", "../x", ".", ":", "\\..\\x"):
            yield from (f"{letter}:{rest}", f"a/../{letter}:{rest}")
    yield from ("\\", "\\x", "\\\\srv\\sh\\x", "\\\\?\\C:\\x", "\\\\.\\pipe\\x", "\\??\\C:\\x", "\\\\?\\Volume{a}\\x")
    yield from ("\\/srv/x", "/\\srv\\x", "..\\", "..\\..\\x", "a\\..\\..\\x", "a\\..", ".\\..\\x", "a/..\\x", "..\\/x")
    yield from ("...\\x", "a\\...\\x", ".. \\x", "..\t\\x", "\\\\127.0.0.1\\c$", "//./x", "//?/C:/x")


def windows_names() -> Iterator[str]:
    for sign in '<>:"|?*':
        yield from (f"a{sign}b.csv", sign, f"a/{sign}/b", f"a.csv{sign}")
    yield from ("a.csv:hidden", "a.csv::$DATA", "dir:$I30:$INDEX_ALLOCATION", "a.csv.", "a.csv...", "a. /b", "a /b")
    yield from (".../x", "..../x", ". ./x", "... ", ".. .", ".. ", "..  /x", " ..", ". ", "a.csv ")
    yield from ("PROGRA~1", "progra~1/x", "A~1", "GIT~1", "GIT~2/x", "ABCD~1.TXT", "a/DOCUME~1/x", "MICROS~1.LNK")


def expansion() -> Iterator[str]:
    yield from (
        "~",
        "~/x",
        "~root",
        "~root/x",
        "~+/x",
        "~-",
        "~user/../x",
        "~\\x",
        "$HOME",
        "$HOME/x",
        "${HOME}/x",
        "$(id)",
    )
    yield from ("`id`/x", "a/$HOME/x", "a/${x}/b", "a`id`b", "x${IFS}y", "$((1+1))", "$USER.csv", "$PWD/..", "${x:-y}")
    yield from ("%TEMP%", "%TEMP%/x", "a/%APPDATA%/x", "%ProgramFiles(x86)%\\x", "${env:HOME}", "${secret:x}")


def addresses() -> Iterator[str]:
    for scheme in (
        "file",
        "http",
        "HTTPS",
        "ftp",
        "s3",
        "gs",
        "abfs",
        "hdfs",
        "smb",
        "memory",
        "data",
        "jar:file",
        "hf",
    ):
        yield from (f"{scheme}://x/y", f"{scheme}:x", f"{scheme}:///etc/passwd", f"a/{scheme}://x")
    yield from ("zip://a.csv::file:///x", "simplecache::s3://b/k", "fd:0", "javascript:x")


def protected() -> Iterator[str]:
    for name in PROTECTED:
        wide = "".join(chr(ord(sign) + 0xFEE0) if sign.isalpha() else sign for sign in name)
        for form in (
            "{}",
            "{}/x",
            "a/{}/x",
            "a/../{}/x",
            "{}./x",
            "{} /x",
            "./{}/x",
            "{}\\x",
            "a\\{}\\x",
            "{}::$DATA/x",
        ):
            yield from (form.format(name), form.format(name.upper()), form.format(wide))


def overlong() -> Iterator[str]:
    yield from ("a" * 256, "\u00e9" * 128, "\U0001f600" * 64, "a/" + "b" * 300, "a" * 256 + "/b")
    yield from ("a/" * 2048 + "x", "x" * 4096, "/".join(["d" * 200] * 21), "d/" * 256 + "x")


HOSTILE: dict[str, Callable[[], Iterator[str]]] = {
    "traversal": traversal,
    "encoding": encoding,
    "unicode-fold": folding,
    "control": control,
    "empty": blank,
    "win-device": devices,
    "win-root": windows_roots,
    "win-name": windows_names,
    "expansion": expansion,
    "url": addresses,
    "overlong": overlong,
}


def operations(safe: SafeRoot, name: str) -> dict[str, Callable[[], object]]:
    return {
        "read": lambda: safe.open(name).close(),
        "append": lambda: safe.open(name, "ab").close(),
        "create": lambda: safe.create(name).__enter__(),
        "replace": lambda: safe.replace("own.txt", name),
        "rename": lambda: safe.replace(name, "elsewhere"),
        "mkdir": lambda: safe.mkdirs(name),
        "delete": lambda: safe.unlink(name),
        "remove": lambda: safe.remove_tree(name),
        "list": lambda: list(safe.iter(name)),
        "stat": lambda: safe.stat(name),
    }


def not_refused(safe: SafeRoot, name: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """The operations that did something with a name, or failed in any other way than by refusing it."""
    found = []
    for operation, act in operations(safe, name).items():
        try:
            act()
        except PathSecurityError:
            continue
        except Exception as error:
            operation += f": {type(error).__name__}"
        found.append(operation)
    return [operation for operation in found if operation.partition(":")[0] not in but]


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("family", HOSTILE)
def test_every_name_of_a_hostile_family_is_refused_in_every_operation(family: str, folder: Path) -> None:
    (folder / "own.txt").write_text("own")
    before = tree(folder.parent)
    with SafeRoot(folder) as safe:
        accepted = {name: done for name in dict.fromkeys(HOSTILE[family]()) if (done := not_refused(safe, name))}
    assert accepted == {}
    assert tree(folder.parent) == before


def test_nothing_is_written_to_folders_that_run_code_or_hold_the_framework_s_state(folder: Path) -> None:
    (folder / "own.txt").write_text("own")
    looking = ("read", "list", "stat")
    with SafeRoot(folder) as safe:
        accepted = {name: done for name in protected() if (done := not_refused(safe, name, but=looking))}
    assert accepted == {}


# ---------------------------------------------------------------- what lies there


LINK_TARGETS = (
    "../OUT",
    "../OUT/secret.txt",
    "/etc/passwd",
    "/etc",
    "..",
    "../",
    "../..",
    "./../OUT",
    "data/../../OUT",
)
LINK_TARGETS += ("/proc/self/root", "/proc/self/cwd/..", "/proc/self/fd/0", "/dev/zero", "/dev/stdin", "//etc/passwd")
LINK_TARGETS += ("../ROOT-evil/secret.txt", "one", "chain40", "../OUT/new.txt")


@posix_only
@pytest.mark.parametrize("target", LINK_TARGETS)
def test_no_link_of_whatever_kind_leads_out(root: SafeRoot, folder: Path, target: str) -> None:
    """By itself, by way of another link, of forty and of a folder that is one, with a slash behind it and parents."""
    evil = folder.parent / "ROOT-evil"
    evil.mkdir()
    (evil / "secret.txt").write_text("secret")
    (folder / "own.txt").write_text("own")
    (folder / "one").symlink_to(target)
    (folder / "data/two").symlink_to("../one")
    (folder / "three").symlink_to("data/two")
    (folder / "chain0").symlink_to("one")
    for number in range(1, 41):
        (folder / f"chain{number}").symlink_to(f"chain{number - 1}")
    before, inside = tree(folder.parent / "OUT"), tree(folder / "data")
    names = (
        "one",
        "data/two",
        "three",
        "chain39",
        "chain40",
        "one/",
        "one/.",
        "data/../one",
        "./one",
        "one/secret.txt",
    )
    for name in (*names, "three/new.txt", "one/OUT/secret.txt", "one/../OUT/secret.txt"):
        # A link that leads nowhere may be removed like any other once it is known to stay inside.
        assert not_refused(root, name) == [], name
    assert tree(folder.parent / "OUT") == before
    assert tree(folder / "data") == inside
    assert (folder.parent / "OUT/secret.txt").read_text() == (evil / "secret.txt").read_text() == "secret"


@posix_only
def test_what_is_no_file_is_neither_read_nor_replaced_and_never_waited_for(root: SafeRoot, folder: Path) -> None:
    (folder / "own.txt").write_text("own")
    os.mkfifo(folder / "pipe")
    (folder / "to-pipe").symlink_to("pipe")
    (folder / "folder").mkdir()
    here = os.getcwd()
    os.chdir(folder)  # the name of a socket has 108 bytes at most
    try:
        server = socket.socket(socket.AF_UNIX)
        server.bind("socket")
    finally:
        os.chdir(here)
    names = ["pipe", "to-pipe", "socket", "folder"]
    try:
        os.mknod(folder / "zero", 0o020666, os.makedev(1, 5))
        names.append("zero")
    except OSError:  # only root may
        pass
    for name in names:
        moving = ("rename", "delete", "stat", "mkdir", "list", "remove")
        assert not_refused(root, name, but=moving) == ["replace"] * (name in ("pipe", "socket", "zero")), name
        (folder / "own.txt").write_text("own")
    server.close()


# ---------------------------------------------------------------- harmless names

WORDS = {
    "latin": "naïve résumé Ærø Łódź İstanbul ığdır ẞtraße þorn Nguyễn dữ_liệu",
    "greek and cyrillic": "δεδομένα Αθήνα данные Київ Ђорђе өгөгдөл",
    "near east": "տվյալներ נתונים بيانات اعداد მონაცემები ውሂብ",
    "written with joiners": "داده\u200cها می\u200cخواهم क्\u200dष ශ්\u200dරී"
    " 👨\u200d👩\u200d👧 🏳\ufe0f\u200d🌈 🧑🏽\u200d💻",
    "india": "डेटा তথ্য தரவு సమాచారం ದತ್ತಾಂಶ വിവരം",
    "south east asia": "ข้อมูล ຂໍ້ມູນ ទិន្នន័យ ဒေတာ གཞི་གྲངས",
    "east asia": "データ ﾃﾞｰﾀ 売上／費用 東京。大阪 資料（最終） ファイル：一覧 A：说明"
    " 何？ 髙﨑 葛\U000e0100城 資料庫 你好，世界 第１章 데이터 ㄱㄴ ～資料",
    "others": "ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ ꆈꌠ ᠮᠣᠩᠭᠣᠯ",
    "signs": "x²+y² α≤β ½ № ™ € ° µ ∑ → ★ 10℃ ㎡ Ⅳ ①② a–b “x” «z» wait… x·y †1 §3 📊 👍🏽 ❤\ufe0f 🇩🇪 1\ufe0f\u20e3 ☕",
}
PLAIN = {
    "dots": "..foo foo..bar a..b ...a .a .a.b ..a..b.csv v1..2.csv .hidden/.x a.b.c .env .github/x"
    " .gitignore .gitkeep 1..10 .....a",
    "like devices": "con-tract contract con_ aux_data aux-data.csv auxiliary/x nul_values null nullable.csv prnt"
    " prn2 com com0 com10 com1x.csv lpt lpt1_scan.csv console icon"
    " a.con a.nul .aux com_1 conin clock CON2 comet1 data.prn",
    "percent": "100% 50%-60%.csv a%20b.csv R%26D.csv 100%25.csv a%2Fb.csv 12%3A30.csv 10%_of_20%.csv"
    " up%to%date.csv % %% 5%2.csv %u %zz",
    "signs": "a,b a;b a=b a+b a@b a#b a&b (1) [x] {y} a! -a --a a^b a'b a`b a~ a~b file~.csv #1 @x _ =x +x",
    "dollars": "a$ $ US$ a$b.csv US$rate cost$usd/x.csv $5.csv a$5 $data/x.csv dollar$",
    "tildes": "x~y~z a~1b.csv abcdefgh~1.csv backup~old.csv file~2024.csv 1~2~3",
    "words": "true None NaN 0 00 1e5 2026-11-23 12.5 index bin/x etc/passwd dev/null proc/1 Windows/System32 C/x",
}
SPACED = (
    "a b",
    "a  b.csv",
    "report (final) v2.csv",
    "con tract.csv",
    " leading.csv",
    "price in $.csv",
    "a/b c/d e.csv",
)
LONG = (
    "a" * 255,
    "\u00e9" * 127 + "x",
    "a" * 251 + ".csv",
    "\U0001f600" * 63,
    "x" * 200 + "/" + "y" * 200,
    "d/" * 200 + "x",
)


def harmless() -> Iterator[str]:
    for text in WORDS.values():
        for word in text.split():
            yield from dict.fromkeys((word + ".csv", unicodedata.normalize("NFD", word)))
    for text in PLAIN.values():
        yield from text.split()
    yield from (*SPACED, *LONG, "/".join(["d" * 200] * 20))


def test_harmless_names_can_be_written_read_listed_and_removed(folder: Path) -> None:
    refused = {}
    names = list(dict.fromkeys(harmless()))
    with SafeRoot(folder) as safe:
        for name in names:
            try:
                with safe.create(name) as file:
                    file.write(b"x")
                with safe.open(name) as file:
                    assert file.read() == b"x"
                assert name.rpartition("/")[2] in list(safe.iter(name.rpartition("/")[0] or "."))
                safe.unlink(name)
            except (PathSecurityError, OSError) as error:
                refused[name[:60]] = str(error)
    assert len(names) > 200
    assert refused == {}


@posix_only
def test_names_that_differ_in_joiners_alone_are_twins(root: SafeRoot, folder: Path) -> None:
    (folder / "می\u200cخواهم").write_text("x")
    with pytest.raises(PathSecurityError, match="one file"):
        root.create("میخواهم").__enter__()
