"""Signs of unregistered secrets: names of keys, tokens of well-known formats, places in a text.

A name is *telling* if any value behind it is a secret (`db_password`), and *doubtful* when only that is one
which looks so (`auth=…`, `pin=…`). The shapes of tokens are those that their issuers publish for scanners.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from pamola_tasks.secret import MASK

TELLING = frozenset(
    "password passwords passwd passphrase passphrases pwd secret secrets token tokens credential credentials creds cred"
    " authorization apikey privatekey accesskey secretkey masterkey encryptionkey signingkey bearer cookie"
    " passwort kennwort motdepasse contrasena contraseña senha wachtwoord пароль 密码 密碼 パスワード".split()
)
_TELLING_ENDS = ("password", "passwd", "passphrase", "passwort")
_DOUBTFUL = frozenset("key pass pw pin auth otp salt pepper sig signature".split())
_TELLING_LAST = frozenset("pin otp passcode passkey cvv cvc puk".split())  # behind another word: `bank_pin`
_OF_VARIABLES = _TELLING_LAST | frozenset("pass pat auth salt pepper jwt".split())  # and as last word in capitals
_KEY_BEFORE = frozenset(
    "api access private secret master encryption decryption signing auth session account ssh hmac aes rsa fernet jwt"
    " shared license".split()
)
_STILL_THE_KEY = frozenset("pem der raw value base64 b64 hex data text string bytes".split())
_NOT_SECRET_AFTER = frozenset(
    "path file dir id ids name names count size type kind mode fingerprint env length policy consent rotation ttl"
    " lifetime expiry expires format hint field fields column columns prefix suffix algorithm provider url uri endpoint"
    " host port user username age days limit usage budget strength attempts retries enabled disabled required version"
    " santa".split()
)
# What stands behind such a name in prose, or for a value that is not there.
NO_SECRETS = frozenset(
    "none null nil true false yes no not is are was must should required optional missing invalid expired expected"
    " the a an this that it there only has have had needs cannot can may no at in for from of to and or which whether"
    " unknown empty unset field str string text bytes int integer number bool hidden redacted masked wrong"
    " use say set give enter type try see choose unpack refer those names pass write put make create check add".split()
)
# Words that our own messages go on with behind the name of a column, key, file or task (`db_password: column 3 …`).
_PROSE = frozenset(
    "its column run read state install name nothing each rename did every results what larger exclude services"
    " written change attribute words claims dropped all gave metrics timeout memory open success byte about pip mend"
    " left python rotation everything others row wait programs `pamola-task finalize( date already how lines rows"
    " removed: plugins: use_encryption data_types retry.on trust.folders: sensitive_patterns:"
    " encryption.key_command: these take `budget_delta` `contributions` `delta` `person` `locale` `rho` `characters`"
    " `alphabet:".split()
)
_WORD = re.compile(r"`?[A-Za-z][a-z_.-]*[(:`]?")
_GOES_ON = re.compile(r"\)?,? [\w'`(-]")

TOKEN_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Za-z])"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}"
    r"|gl(?:pat|ptt|dt|rt|cbt|soat|agent|oas|ft|imt)-[A-Za-z0-9_-]{20,}"  # GitLab
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}"  # Stripe
    r"|(?<![-_])sk-(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic and others
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{30,}"  # Google
    r"|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,}|rubygems_[0-9a-f]{48}|dckr_pat_[A-Za-z0-9_-]{20,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}|SK[0-9a-f]{32}|key-[0-9a-f]{32}"  # SendGrid, Twilio, Mailgun
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"  # Telegram
    r"|hf_[A-Za-z0-9]{30,}|do[opr]_v1_[0-9a-f]{64}|hv[sbr]\.[A-Za-z0-9_-]{20,}|dapi[0-9a-f]{32}"
    r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|gls[ac]_[A-Za-z0-9_-]{32,}|ATATT3[A-Za-z0-9_=-]{50,}|NRAK-[A-Z0-9]{27}"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{58}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"  # JWS and JWE, RFC 7515
    r")"
    r"|(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}"
    r"|\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[a-z0-9-]*)\$[./A-Za-z0-9,=+$-]{12,}"  # crypt(5)
    r"|-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----BEGIN)[\s\S])*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\]*)"
)
_SHORTEST_WORD = 20  # of the tokens that are one word of letters, digits and underscores: AWS
URL_CREDENTIALS = re.compile(r"(?<=://)([^\s/?#@:]*):([^\s/?#'\"]+)(?=@)")
_URL_TOKEN = re.compile(r"(?<=://)(?=[^\s/@]*[0-9])[A-Za-z0-9_~.-]{16,}(?=@)")
_JDBC = re.compile(r"(jdbc:oracle:\w{1,20}:[^/\s@:]{1,100}/)[^@\s]{1,200}(?=@)")
_SCHEME = re.compile(r"\b(Bearer|Basic|Negotiate)(\s+)(?=\S*[0-9=])[A-Za-z0-9._~+/-]{16,}=*")
_HEADER = re.compile(r"(?i)(?<![\w-])((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)(?=\S)[^\r\n]+")
_ELEMENT = re.compile(r"<(?P<key>[\w:.-]++)>(?P<value>[^<>]+)(?=</)")
_PAIR = re.compile(r"\(\s*b?['\"](?P<key>[\w.-]++)['\"]\s*,\s*b?(?P<mark>['\"])(?P<value>(?:(?!(?P=mark)).)+)")
_OPTION = re.compile(r"(?<![\w-])--?(?P<key>[\w-]++)[ \t]+(?P<value>[^\s'\"-][^\s]*|'[^']*'|\"[^\"]*\")")
_USER = re.compile(r"((?<!\S)(?:-u|--user)\s+[^\s:]+:)\S+")
_LOGIN = re.compile(r"(\blogin\s+\S+\s+password\s+)\S+")
_SENTENCE = re.compile(r"(?i)\b(?P<key>password|passphrase|token|secret|api key)(?: is| was|:) (?P<value>\S{8,})")

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# A key and what stands between it and its value: `key=`, `"key": `, `'key' = `. What was taken is not given back, so
# that long words cost their length only; `(?>…)` round repeated groups, which Python before 3.11.5 mistakes with `*+`.
_KEY = re.compile(r"(?<![\w.-])(?P<key>[\w.-]++)\\?[\"']?\s*+(?:=>|[=:]|%3[Dd])\s*+")
_VALUE = re.compile(
    r"(?P<open>b?(?P<slash>\\?)(?P<mark>[\"']))(?>(?:(?!(?P=slash)(?P=mark))(?:\\.|.))*)"
    r"|\[[^\]\n]*\]|\{[^}\n]*\}|(?:(?:Bearer|Basic|Digest|Token)\s+)?[^\s,;&'\"}\])]+"
)


def segments(key: str) -> list[str]:
    """The words a key name is made of: `db_password`, `dbPassword` and `DB-PASSWORD` give `['db', 'password']`."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+", key)]


@lru_cache(maxsize=4096)
def is_secret_name(key: str) -> bool:
    """Whether a key's name says that its value is a secret (`api_key` yes; `sort_key`, `key_path` no)."""
    words = segments(key)
    if not words or words[-1] in _NOT_SECRET_AFTER:
        return False
    whole = "".join(words)
    if words == ["key"] or whole in TELLING or any(w in TELLING or w.endswith(_TELLING_ENDS) for w in words):
        return True
    several, capitals = len(words) > 1, key.isupper()
    if words[-1] in (_OF_VARIABLES if several and capitals else _TELLING_LAST if several or capitals else ()):
        return True
    if len(words) > 1 and words[-1] == "pass" and words[-2] in ("db", "smtp", "mail", "user", "ssh", "ftp", "admin"):
        return True
    last = words[:-1] if len(words) > 2 and words[-1] in _STILL_THE_KEY else words
    return len(last) > 1 and last[-1] in ("key", "keys") and last[-2] in _KEY_BEFORE


def looks_secret(value: str) -> bool:
    """Whether a word looks as if a machine had made it: long, and of letters and digits."""
    if value.isdigit():
        return 4 <= len(value) <= 8
    if _UUID.fullmatch(value):
        return False
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return len(value) >= 8 and mixed and not any(c in value for c in " /\\:")


def mask_shapes(text: str, hides: Callable[[str], bool]) -> str:
    """A text with all masked that is known by its shape or its place; `hides` says whether a key's value is secret."""
    if len(text) < _SHORTEST_WORD and text.isidentifier():
        return text  # most texts of a report are names
    if "://" in text:
        text = _URL_TOKEN.sub(MASK, URL_CREDENTIALS.sub(rf"\1:{MASK}", text))
    text = TOKEN_SHAPES.sub(MASK, text)
    # Searching for a word is ten times as fast as for a pattern, and most texts hold none of these.
    low = text.lower()
    if "jdbc:" in low:
        text = _JDBC.sub(rf"\1{MASK}", text)
    if "bearer" in low or "basic" in low or "negotiate" in low:
        text = _SCHEME.sub(rf"\1\2{MASK}", text)
    if "authorization" in low or "cookie" in low:
        text = _HEADER.sub(_masked_header, text)
    if "=" in text or ":" in text or "%3" in text:
        text = _mask_pairs(text, hides)
    if "</" in text:
        text = _mask_values(_ELEMENT, text, hides)
    if "('" in text or '("' in text:
        text = _mask_values(_PAIR, text, hides)
    if " -" in text or text.startswith("-"):
        text = _mask_values(_OPTION, text, hides, _is_value)
        text = _USER.sub(rf"\1{MASK}", text)
    if "pass" in low or "token" in low or "secret" in low or "api key" in low:
        text = _LOGIN.sub(rf"\1{MASK}", text)
        text = _mask_values(_SENTENCE, text, hides, looks_secret)
    return text


def _masked_header(found: re.Match[str]) -> str:
    """A header without its value: up to the end of the line, or of the quotes that it stands in."""
    name, value = found[1] + found[2], found[0][len(found[1]) + len(found[2]) :]
    mark = found.string[found.start() - 1 : found.start()]
    if mark in ("'", '"'):
        inside, _, behind = value.partition(mark)
        if not inside.endswith("="):  # else the quote is one of the value's own: `username="…"`
            return f"{name}{MASK}{mark}{behind}" if len(inside) < len(value) else f"{name}{MASK}"
    return f"{name}{MASK}"


def _mask_values(
    shape: re.Pattern[str], text: str, hides: Callable[[str], bool], is_value: Callable[[str], bool] = bool
) -> str:
    def masked(found: re.Match[str]) -> str:
        if not hides(found["key"]) or not is_value(found["value"]) or found["value"] == MASK:
            return found[0]
        start, end = found.start("value") - found.start(), found.end("value") - found.start()
        return f"{found[0][:start]}{MASK}{found[0][end:]}"

    return shape.sub(masked, text)


def _is_value(word: str) -> bool:
    return word.lower().strip(".,;:!") not in NO_SECRETS


def _mask_pairs(text: str, hides: Callable[[str], bool]) -> str:
    """Mask the values behind keys whose names say that they are secret."""
    shown, end = [], 0
    for key in _KEY.finditer(text):
        if key.start() < end:
            continue
        name = key["key"]
        if text[key.start() - 1 : key.start()] == "%":  # what came before was a percent escape
            name = name[2:]
        if text[key.start() - 2 : key.start()] == "${":  # a reference to a secret is none
            continue
        telling = hides(name)
        if not telling and not _is_doubtful(name):
            continue
        value = _VALUE.match(text, key.end())
        if value is None or not value[0]:
            continue
        word = value[0][len(value["open"] or "") :]
        if not value["open"] and _WORD.fullmatch(word) and _GOES_ON.match(text, value.end()):
            # `'db_password': did you mean …`, `/etc/passwd: not …`: the name of something, and what is said of it
            names_it = text[key.end("key") : key.end("key") + 1] in "'\"" or text[key.start() - 1 : key.start()] == "/"
            if names_it or word.lower() in _PROSE:
                continue
        if _stays(name, word, quoted=bool(value["open"]), telling=telling and name.lower() != "key"):
            continue
        shown += [text[end : key.end()], value["open"] or "", MASK]
        end = value.end()
    return "".join([*shown, text[end:]]) if shown else text


@lru_cache(maxsize=4096)
def _is_doubtful(name: str) -> bool:
    words = segments(name)
    return bool(words) and words[-1] in _DOUBTFUL


def _stays(name: str, word: str, *, quoted: bool, telling: bool) -> bool:
    """Whether what stands behind a secret name is no secret: a small number, a count, nothing, a word of prose."""
    if not telling:
        return not looks_secret(word)
    if quoted:
        return False
    if word.isdigit() and (len(word) < 4 or segments(name)[-1:] == ["tokens"]):
        return True
    return not _is_value(word)
