"""The lexical gate: which names may be asked for at all, the same on every system.

It looks at text only. What a name leads to (symlinks, `..`, devices) is decided by the file system when the name is
opened; see `pamola_tasks_paths.opening`. A name refused here would mean something else on another system (drive,
device, short name), would be rewritten by a shell or a log viewer, or looks like another name.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from functools import cache, lru_cache
from urllib.parse import unquote_to_bytes

from pamola_tasks.errors import PathSecurityError

MAX_NAME_BYTES = 255  # NAME_MAX of ext4, XFS, APFS, NTFS
MAX_PATH_BYTES = 4095  # PATH_MAX of Linux, without its NUL
MAX_DEPTH = 255

# Control, format (zero width, bidi), surrogate and private characters, line and paragraph separators.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_RESERVED_CHARACTERS = frozenset('<>:"|?*')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)]
)
# Letters and symbols that show nothing, and code points that are no characters.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufdd0-\ufdef\ufffe\uffff]")
# Persian, the scripts of India and composed emoji are written with joiners; between Latin letters they only disguise.
_JOINED = "[\u0590-\u1fff\u2190-\uffff\U00010000-\U0010ffff]"
_SHORT_NAME = re.compile(r"(?=[^.]{3,8}(?:\.|\Z))[^.~]{1,6}~[1-9]\d*(\.[^.]{0,3})?")
_EXPANSION = re.compile(r"\$\{|\$\(|`.*`|\A\$[A-Z_][A-Z0-9_]*(?![a-z])|\A%\w+(?:\(x86\))?%\Z")
# Slashes, backslashes, dots and colons that compatibility normalization (NFKC) does not know as such.
_LOOKALIKES = str.maketrans(
    {**dict.fromkeys("\u2044\u2215\u29f8\u2571", "/"), **dict.fromkeys("\u2216\u29f5\u29f9", "\\")}
    | {**dict.fromkeys("\u3002\uff61", "."), **dict.fromkeys("\u2236\ua789", ":")}
)
_DRIVE = re.compile(r"[A-Za-z]:(?![^\x00-\x7f])")
_CLIMB = re.compile(r"\.{2,}")
_ESCAPED_UTF16 = re.compile("%u([0-9a-fA-F]{4})")
_OVERLONG = re.compile(rb"[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")
_MOST_DECODINGS = 8
# Writing there makes a later `git` command run code, or changes what the framework trusts.
_PROTECTED = frozenset({".git", ".hg", ".svn", ".bzr", ".pamola-tasks"})

_POSIX = tuple(
    "/bin /boot /dev /etc /lib /lib64 /proc /sbin /sys"
    " /usr/bin /usr/lib /usr/lib64 /usr/sbin /var/lock /var/run /var/spool/cron".split()
)
_MACOS = ("/System", "/Library", "/private/etc", "/private/var/run", "/private/var/db")
_WINDOWS = tuple(
    f"C:/{folder}"
    for folder in ("Windows", "Program Files", "Program Files (x86)", "ProgramData", "System Volume Information")
)


def shown(name: object) -> str:
    """A name for a message: quoted, escaped and shortened."""
    text = ascii(name)
    return text if len(text) <= 160 else f"{text[:120]}…{text[-30:]}"


def check_name(name: object, *, writing: bool = False) -> str:
    """The name, unless it is not a plain relative one: then a PathSecurityError with the reason; see `name_problem`."""
    if not isinstance(name, str):
        raise PathSecurityError(f"a file name must be text, not {type(name).__name__}")
    problem = name_problem(name, writing)
    if problem is not None:
        raise PathSecurityError(f"{shown(name)} is refused as a file name: {problem}")
    return name


@lru_cache(maxsize=4096)
def name_problem(name: str, writing: bool = False) -> str | None:
    """Why a relative name is refused, or None; for writing, protected folders such as `.git` are refused too."""
    if not name.strip():
        return "it is empty or blank"
    if name.startswith(("/", "\\")):
        return "it is absolute and not inside the project"
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return "it is not valid Unicode text"
    if len(encoded) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    parts = name.split("/")
    if len(parts) > MAX_DEPTH:
        return f"it is nested more than {MAX_DEPTH} folders deep"
    if parts[0].startswith("~"):
        return "a leading ~ means a home folder to a shell"
    problem = next((problem for part in parts if (problem := _part_problem(part, writing))), None)
    if not problem and "%" in name:
        problem = _reading_problem(name, _decoded(name), "percent escapes are decoded")
    return problem or (None if name.isascii() else _reading_problem(name, _folded(name), "characters are normalized"))


def _part_problem(part: str, writing: bool) -> str | None:
    """Why one part between slashes is refused."""
    if part in ("", ".", ".."):
        return None
    if len(part.encode("utf-8")) > MAX_NAME_BYTES:
        return f"one of its parts is longer than {MAX_NAME_BYTES} bytes"
    if _EXPANSION.search(part):
        return "it holds a variable or a command that a shell would expand"
    # A backslash is a plain character here and a separator on Windows: the name must be harmless read either way.
    return next((problem for piece in part.split("\\") if (problem := _piece_problem(piece, writing))), None)


def _piece_problem(piece: str, writing: bool) -> str | None:
    if piece == "..":
        return "on Windows its backslashes climb to a parent folder"
    if _holds_unseen(piece):
        return "it holds a control or an invisible character"
    if any(character in _RESERVED_CHARACTERS for character in piece):
        return 'it holds one of < > : " | ? *, which Windows and URLs give a meaning'
    if piece and (piece.endswith(".") or piece[-1].isspace()):
        return "one of its parts ends in a dot or a blank, which Windows drops"
    folded = unicodedata.normalize("NFKC", piece).casefold()
    if folded.partition(".")[0].rstrip() in _DEVICES:
        return "it is the name of a Windows device"
    if _SHORT_NAME.fullmatch(piece):
        return "it reads as a short (8.3) alias of another name on Windows"
    if _EXPANSION.search(piece):
        return "it holds a variable that a shell would expand"
    if writing and folded in _PROTECTED:
        return f"nothing is written to {folded} folders"
    return None


@cache
def _joiner() -> re.Pattern[str]:
    return re.compile(f"(?<={_JOINED})[\u200c\u200d](?={_JOINED})")


def _without_joiners(text: str) -> str:
    """The text without the joiners that its script needs."""
    return text if text.isascii() else _joiner().sub("", text)


def _holds_unseen(piece: str) -> bool:
    """Whether some of a text cannot be seen, but for joiners where the script needs them."""
    if _BLANK.search(piece):
        return True
    return not piece.isprintable() and any(
        unicodedata.category(c) in _UNSEEN_CATEGORIES for c in _without_joiners(piece)
    )


def _reading_problem(name: str, reading: str, when: str) -> str | None:
    """Why a name is refused for what another program could take it for."""
    reading = reading.replace("\\", "/")
    if reading.startswith("/") or (_DRIVE.match(reading) and not _DRIVE.match(name)):
        return f"it turns into an absolute path when its {when}"
    if _climbing(reading) > _climbing(name):
        return f"it turns into a climb to a parent folder when its {when}"
    if any(sign in reading for sign in "\0\r\n"):
        return f"it holds a control character when its {when}"
    return None


def _climbing(name: str) -> int:
    return sum(_CLIMB.fullmatch(part) is not None for part in name.split("/"))


def _folded(name: str) -> str:
    """The name as a program has it that normalizes its characters."""
    return unicodedata.normalize("NFKC", name.translate(_LOOKALIKES))


def _decoded(name: str) -> str:
    """The name as a program has it that decodes percent escapes, as often as there are any.

    `%uXXXX` and UTF-8 that is longer than it need be (RFC 3629, section 10) are read as careless decoders do.
    """
    for _ in range(_MOST_DECODINGS):
        before = name
        raw = unquote_to_bytes(
            _ESCAPED_UTF16.sub(lambda found: chr(int(found[1], 16)), name).encode("utf-8", "replace")
        )
        name = _OVERLONG.sub(_shortest, raw).decode("utf-8", "replace")
        if name == before:
            break
    return _folded(name)


def _shortest(overlong: re.Match[bytes]) -> bytes:
    lead, *rest = overlong[0]
    value = lead & 1 if lead in (0xC0, 0xC1) else 0
    for byte in rest:
        value = value << 6 | byte & 0x3F
    return chr(value).encode("utf-8", "replace")


def climbs(name: str) -> bool:
    """Whether a relative name, read as text alone, leaves the folder it starts from."""
    depth = 0
    for part in name.split("/"):
        if part == "..":
            depth -= 1
            if depth < 0:
                return True
        elif part not in ("", "."):
            depth += 1
    return False


def collation_key(name: str) -> str:
    """Names with the same key are one file on a system that ignores case or normalizes (macOS, Windows)."""
    visible = _without_joiners(name)  # which HFS+ ignores
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", visible).casefold())


def system_directories() -> tuple[str, ...]:
    """The folders of this operating system that no project has any business in."""
    if sys.platform == "win32":
        return _WINDOWS
    return _POSIX + (_MACOS if sys.platform == "darwin" else ())


def system_directory_of(path: str) -> str | None:
    """The system folder that an absolute path is, or is in; `/libfoo` is not in `/lib`."""
    text = os.path.normcase(re.sub(r"/{2,}", "/", path.replace("\\", "/") if sys.platform == "win32" else path))
    for folder in system_directories():
        system = os.path.normcase(folder)
        if text == system or text.startswith(system + os.sep):
            return folder
    return None
