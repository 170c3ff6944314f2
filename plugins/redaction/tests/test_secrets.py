"""What must not be read is not written: secrets in all the forms they may take."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import pickle
import quopri
import random
import shlex
import string
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pamola_tasks import Secret
from pamola_tasks.secret import MASK
from pamola_tasks_redaction.secret_shapes import is_secret_name, segments
from pamola_tasks_redaction.secrets import Redactor, in_the_environment, own_words

FORMS: dict[str, Any] = {
    "plain": str,
    "percent-encoded": lambda s: quote(s, safe=""),
    "form-encoded": quote_plus,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON with unicode": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "repr": lambda s: repr(s)[1:-1],
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 without padding": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "hex": lambda s: s.encode().hex(),
}
SECRET = "pä'ss/w\"ö+rd\\n 4711?"


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    for secret in secrets:
        made.register(secret)
    return made


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter22", "db")
    assert (str(secret), f"{secret}", f"{secret:>5}", repr(secret)) == ("***", "***", "  ***", "Secret('db')")
    assert repr(Secret("hunter22")) == "Secret('***')"
    assert secret.reveal() == "hunter22"
    assert secret == Secret("hunter22", "other")
    assert secret != Secret("hunter23")
    assert secret != "hunter22"
    assert len({secret, Secret("hunter22")}) == 1
    assert secret
    assert not Secret("")
    assert "hunter22" not in repr({"x": [secret]})


@pytest.mark.parametrize("form", FORMS)
def test_a_registered_secret_is_hidden_in_every_usual_form(form: str) -> None:
    written = FORMS[form](SECRET)
    hidden = redactor(SECRET)(f"before {written} after")
    assert hidden == f"before {MASK} after"


@given(st.text(min_size=4, max_size=30), st.sampled_from(sorted(FORMS)), st.text(max_size=20), st.text(max_size=20))
def test_no_text_written_still_holds_the_secret(secret: str, form: str, before: str, after: str) -> None:
    assume(MASK not in secret and secret not in own_words())
    try:
        written = FORMS[form](secret)
    except UnicodeEncodeError:
        return
    assume(len(written) >= 4)
    if len(secret) < 8:  # hidden as a whole word alone
        before, after = f"{before} ", f" {after}"
    shown = redactor(secret)(f"{before}{written}{after}")
    # What was around it may hold it by chance; what was put there must be gone.
    assume(written not in f"{before}{MASK}{after}")
    assert written not in shown


@given(st.text(min_size=4, max_size=20), st.text(min_size=4, max_size=20))
def test_nested_values_of_any_kind_hold_no_secret_afterwards(secret: str, other: str) -> None:
    assume(MASK not in secret and MASK not in other and not {secret, other} & own_words())
    made = redactor(secret, other)
    value = {"a": [secret, (other, {"b": secret.encode()})], secret: 1, "c": {other}, "d": Secret(secret), "e": None}
    assert not any(hidden in text for text in _texts(made.value(value)) for hidden in (secret, other))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *_texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [] if value is None else [str(value)]


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_a_secret_is_hidden_in_the_base64_of_what_it_is_a_part_of(before: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = redactor(SECRET)(encode(f"{before}{SECRET} and more".encode()).decode())
        readable = shown.replace(MASK, "")
        assert MASK in shown
        for skip in range(4):
            part = readable[skip : skip + (len(readable) - skip) // 4 * 4]
            assert SECRET[3:8].encode() not in base64.urlsafe_b64decode(part.replace("+", "-").replace("/", "_"))


def test_of_an_address_the_password_alone_is_hidden_too() -> None:
    assert redactor("postgres://me:hunter%4022@db/x")("no hunter@22, no hunter%4022") == f"no {MASK}, no {MASK}"


def test_what_the_environment_says_is_secret_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter22-and-more")
    monkeypatch.setenv("DB_PASSWORD_FILE", "/run/secrets/db")
    monkeypatch.setenv("SOME_TOKEN", "short")
    monkeypatch.setenv("OTHER_TOKEN", "abc")
    monkeypatch.setenv("NO_PASSWORD", "None")
    monkeypatch.setenv("PWD", "/home/somebody/project")
    found = {secret.name: secret.reveal() for secret in in_the_environment()}
    assert found["DB_PASSWORD"] == "hunter22-and-more"
    assert "PWD" not in found, "the current folder stands in every path of a report"
    assert found["SOME_TOKEN"] == "short"
    assert {"DB_PASSWORD_FILE", "OTHER_TOKEN", "NO_PASSWORD"} & set(found) == set()


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("sevenCh, (sevenCh) 'sevenCh'\\nsevenCh%20sevenCh=sevenCh", "***, (***) '***'\\n***%20***=***"),
        ("\x1b[31msevenCh\x1b[0m 密码sevenCh的", "\x1b[31m***\x1b[0m 密码***的"),
        ("sevenChildren my_sevenCh sevenCh2 ésevenCh", "sevenChildren my_sevenCh sevenCh2 ésevenCh"),
        ("4711, [4711,12] 4711.", "***, [***,12] ***."),
        ("14711 0.4711 4711.5 4711-11-29", "14711 0.4711 4711.5 4711-11-29"),
    ],
)
def test_a_short_secret_is_hidden_as_a_whole_word_alone(text: str, hidden: str) -> None:
    """Of four to seven characters: in a longer word or number it stays."""
    assert redactor("sevenCh", "4711")(text) == hidden
    assert redactor("4711").value({"n": 14711, "m": 4711}) == {"n": 14711, "m": MASK}


def test_a_word_that_our_files_are_read_by_is_never_hidden() -> None:
    """Or a password `success` would make the history unreadable."""
    made = redactor("success", "run_id", "output", "hunter2")
    assert made.value({"run_id": "success hunter2", "hunter2": "output"}) == {"run_id": "success ***", "***": "output"}


def test_a_secret_of_digits_is_hidden_as_a_number_too() -> None:
    assert redactor("47114711").value({"pin": 47114711, "n": 4711, "share": 0.5}) == {
        "pin": MASK,
        "n": 4711,
        "share": 0.5,
    }


def test_of_two_secrets_the_longer_one_is_hidden_whole() -> None:
    assert redactor("pass", "password1")("a password1 b pass c") == f"a {MASK} b {MASK} c"


def test_a_secret_registered_twice_or_too_short_changes_nothing() -> None:
    made = redactor("abc", "abcd", "abcd")
    assert made("abc abcd") == f"abc {MASK}"


def test_a_secret_with_half_a_character_can_be_registered() -> None:
    made = redactor("pass\ud800word")
    assert "word" not in made("pass\ud800word")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgres://me:hunter22@db/x", "postgres://me:***@db/x"),
        ("https://example.org/?a=1", "https://example.org/?a=1"),
        ("key AKIAIOSFODNN7EXAMPLE here", "key *** here"),
        ("ghp_" + "a" * 36, "***"),
        ("password=hunter22, user=me", "password=***, user=me"),
        ("dbPassword: hunter22", "dbPassword: ***"),
        ("Authorization: Bearer abcdef", "Authorization: ***"),
        ("api_key=xyz&sort_key=name", "api_key=***&sort_key=name"),
        ("key_path=/a/b", "key_path=/a/b"),
        ("at 12:30:05", "at 12:30:05"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "***"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abcdefghijkl", "***"),
        ("plain text", "plain text"),
        ("error: password=hunter22", "error: password=***"),
        ("{'password': 'correct horse', 'user': 'me'}", "{'password': '***', 'user': 'me'}"),
        (r"{\"api_key\": \"x y\", \"n\": 1}", r"{\"api_key\": \"***\", \"n\": 1}"),
        ("password='it\\'s mine', n", "password='***', n"),
        ("passwords: ['aaa', 'bbb'], n", "passwords: ***, n"),
        ("password = b'abc def'", "password = b'***'"),
        ("https://me:p@ss@host/x", "https://me:***@host/x"),
        ("https://host:8080/path@v2", "https://host:8080/path@v2"),
        ("keys: age, zip", "keys: age, zip"),
    ],
)
def test_what_gives_itself_away_is_hidden_without_being_registered(text: str, hidden: str) -> None:
    assert Redactor()(text) == hidden


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("DB_PASSWORD", True),
        ("dbPassword", True),
        ("api_key", True),
        ("apiKey", True),
        ("accesskey", True),
        ("encryption_keys", True),
        ("key", True),
        ("client-secret", True),
        ("Authorization", True),
        ("sort_key", False),
        ("primary_key", False),
        ("key_path", False),
        ("password_file", False),
        ("token_count", False),
        ("keyboard", False),
        ("passenger", False),
        ("", False),
    ],
)
def test_names_of_keys_tell_whether_their_values_are_secret(key: str, secret: bool) -> None:
    assert is_secret_name(key) is secret


def test_keys_are_taken_apart_into_words() -> None:
    assert segments("HTTPProxyPassword2") == ["http", "proxy", "password", "2"]


def test_values_under_secret_keys_are_hidden_whatever_they_are() -> None:
    made = Redactor()
    made.add_names(["Zip"])
    made.add_predicate(lambda key: key.startswith("x_"))
    made.add_pattern(r"ID-\d+")
    value = {"password": 5, "zip": "1010", "x_ray": [1], "note": "see ID-77", "use_token": True, "secret": None}
    assert made.value(value) == {
        "password": MASK,
        "zip": MASK,
        "x_ray": MASK,
        "note": f"see {MASK}",
        "use_token": True,
        "secret": None,
    }
    assert made.hides("ZIP")
    assert made.value(object()).startswith("<object")
    assert made.value(bytearray(b"ID-5")) == MASK


def test_a_redaction_that_raises_shows_nothing() -> None:
    made = Redactor()

    def broken(key: str) -> bool:
        raise RuntimeError("no idea")

    made.add_predicate(broken)
    assert made("user=me") == f"user={MASK}"
    assert made.value({"user": "me"}) == {"user": MASK}
    assert made.hides("user")


def test_secrets_do_not_travel_in_pickles_by_accident() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Redactor())


def test_a_text_that_cannot_be_redacted_is_not_shown() -> None:
    class Odd(str):
        def __contains__(self, other: object) -> bool:
            raise RuntimeError("cannot look")

    assert Redactor()(Odd("the word is hunter22")) == MASK


ENCODINGS: dict[str, Callable[[str], str]] = {
    "base32": lambda s: base64.b32encode(s.encode()).decode(),
    "base32 in lower case": lambda s: base64.b32encode(s.encode()).decode().lower().rstrip("="),
    "base32 inside": lambda s: base64.b32encode(f"user:{s}!".encode()).decode(),
    "base32hex": lambda s: base64.b32hexencode(s.encode()).decode(),
    "base85": lambda s: base64.b85encode(s.encode()).decode(),
    "base64 in UTF-16": lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "HEX with blanks": lambda s: s.encode().hex(" ").upper(),
    "hex in fours": lambda s: s.encode().hex(" ", 2),
    "bytes of C": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "\\x escapes": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "a list of numbers": lambda s: str(list(s.encode())),
    "HTML": html.escape,
    "HTML numbers": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "HTML hex": lambda s: "".join(f"&#x{ord(c):X};" for c in s),
    "URL, all": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "URL twice": lambda s: quote(quote(s, safe=""), safe=""),
    "URL, some": lambda s: quote(s, safe="/:"),
    "JSON, all": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "JSON of PHP": lambda s: json.dumps(s).replace("/", "\\/"),
    "JSON in JSON in JSON": lambda s: json.dumps(json.dumps(json.dumps(s))),
    "SQL": lambda s: s.replace("'", "''"),
    "CSV": lambda s: s.replace('"', '""'),
    "shell": shlex.quote,
    "quoted-printable": lambda s: quopri.encodestring(s.encode()).decode().strip(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_forty_secrets_are_found_in_every_encoding(encoding: str) -> None:
    chance, signs = random.Random(4711), string.ascii_letters + string.digits + "!#$&<>\"'+/=\u00e4\u00df"
    secrets = ["q7" + "".join(chance.choices(signs, k=3 + number % 14)) + "z" for number in range(40)]
    hide = redactor(*secrets)
    written = [ENCODINGS[encoding](secret) for secret in secrets]
    assert [text for text in written if text in hide(f"with {text} in it")] == []


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase, lambda text: text[::-1]])
def test_a_long_secret_of_letters_and_digits_is_found_in_any_case_and_backwards(change: Callable[[str], str]) -> None:
    assert redactor("hUnter2-of-Vienna")(change("hUnter2-of-Vienna")) == MASK


def test_what_is_no_encoding_of_a_secret_stays() -> None:
    """Times, hashes, lists of numbers, escapes, and words that are a secret in another case."""
    texts = [
        "04:05:06 12:30:05.250 2026-11-30",
        "70:71:58:79:33:35:37",
        hashlib.sha256(b"x").hexdigest(),
        "[12, 13, 14, 15, 16]",
        "100% of a%20b and &amp; &lt; \\u00e4 it''s",
        "anonymize ANONYMIZE",
        "pqxy1 pqXy12x",
        "NB2HI4DTHIXS6ZLYMFWXA3DF",
    ]
    hide = redactor("pqXy1", "Anonymize", "s3cret-of-the-shop", "grauer Esel 9")
    assert [hide(text) for text in texts] == texts


@pytest.mark.parametrize("name", "BANK_PIN PIN card_pin MAIL_OTP GITHUB_PAT REGISTRY_AUTH X_PASS HASH_SALT".split())
def test_names_of_variables_that_say_that_they_are_secret(name: str) -> None:
    assert is_secret_name(name)
    assert not any(map(is_secret_name, ("pin", "pin_count", "spin", "compass", "auth", "salt", "author", "OPINION")))
