"""The roster: any bytes give officers or one error, one key is one person's, and only what two people signed last is in force."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gate.__main__ import main
from gate.config import ConfigError, load, load_console
from gate.console.acts import Refused, actions, challenge, offered, reason_words
from gate.console.assertion import Assertion, decoded, encoded, prove, public_key
from gate.console.roster import open_roster, parse_officers
from gate.lane_terms import State
from gate.signer_key import public_hex
from pki.errors import PkiError


def lines(*officers) -> bytes:
    told = ("name", "role", "credential", "key", "since", "until")
    return json.dumps({"officers": [{name: str(getattr(each, name)) for name in told} for each in officers]}).encode()


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda x: json.dumps(x).encode()),
    )
)
def test_any_bytes_are_officers_or_malformed(raw):
    with pytest.raises(PkiError):
        parse_officers(raw)


def test_what_people_write_is_read(new_authenticator):
    sari, made = new_authenticator().officer("sari"), new_authenticator().officer("made", "supervisor")
    assert parse_officers(lines(sari, made)) == (sari, made)


def test_one_key_is_one_persons_and_one_person_has_one_role(new_authenticator):
    key, other = new_authenticator(), new_authenticator()
    strange = new_authenticator()
    strange.credential = key.credential
    for officers in (
        (key.officer("sari"), key.officer("made")),
        (key.officer("sari"), strange.officer("made")),
        (key.officer("sari"), other.officer("sari", "supervisor")),
        (key.officer("sari", since=date(2026, 2, 2), until=date(2026, 2, 1)),),
        (key.officer("sari\n"),),
        (key.officer("sari", "admin"),),
    ):
        with pytest.raises(PkiError):
            parse_officers(lines(*officers))


def test_only_a_key_on_p_256_in_one_spelling(new_authenticator):
    p384 = generate_private_key(SECP384R1()).public_key()
    ed25519 = Ed25519PrivateKey.generate().public_key()
    spki = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in (p384, ed25519)]
    good = new_authenticator().public
    public_key(good)
    for text in (
        *map(encoded, spki),
        "",
        "A",
        "????",
        good[:-4],
        good + "=",
        good.replace("_", "/").replace("-", "+") + "+",
        "é",
    ):
        with pytest.raises(ValueError, match=r".*"):
            public_key(text)


@given(st.binary(max_size=80))
def test_octets_have_one_spelling(raw):
    assert decoded(encoded(raw)) == raw


@given(st.binary(max_size=60), st.binary(max_size=300), st.binary(max_size=90))
def test_no_octets_that_nobody_signed_prove_anything(new_authenticator, data, client, signature):
    key = public_key(new_authenticator().public)
    assertion = Assertion(authenticator_data=data, client_data=client, signature=signature)
    assert prove(assertion, key=key, challenge=bytes(32), origin="http://localhost:1").refused in Refused


@given(st.integers(0, 2**20), st.integers(0, 7))
def test_no_bit_of_a_signed_order_can_be_turned(new_authenticator, place, bit):
    authenticator = new_authenticator()
    parts = authenticator.sign(bytes(32), origin="http://localhost:1")
    name = sorted(parts)[place % 3]
    raw = bytearray(parts[name])
    raw[(place // 3) % len(raw)] ^= 1 << bit
    spoilt = Assertion(**(parts | {name: bytes(raw)}))
    key = public_key(authenticator.public)
    assert prove(Assertion(**parts), key=key, challenge=bytes(32), origin="http://localhost:1").refused is None
    assert prove(spoilt, key=key, challenge=bytes(32), origin="http://localhost:1").refused in Refused


@given(
    st.lists(st.tuples(st.text(), st.text(), st.text(), st.text(), st.binary(max_size=4)), min_size=2, max_size=2, unique=True)
)
def test_two_orders_never_have_one_challenge(orders):
    names = ("action", "transaction", "lane", "reason", "nonce")
    first, second = (challenge(**dict(zip(names, order, strict=True))) for order in orders)
    assert first != second


def test_every_action_has_words_reasons_with_words_and_states_that_exist():
    for rule in actions().values():
        assert all(rule.words)
        assert rule.reasons
        assert rule.roles
        assert all(reason_words(code) != (code, code) for code in rule.reasons)
        assert set(rule.states) <= set(State)
    assert offered("idle") == ("close", "open", "emergency")
    assert offered("hold") == ("pass", "counter", "secondary", "hold", "eject", "close", "open", "emergency")


def keys(folder: Path) -> dict[str, str]:
    """Two signers' key files; name → public key."""
    found = {}
    for name in ("ratna", "yusuf"):
        key = Ed25519PrivateKey.generate()
        (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        found[name] = public_hex(key)
    return found


def test_people_put_a_roster_into_force_by_commands(tmp_path, new_authenticator, capsys):
    named = keys(tmp_path)
    signers = [part for name, key in named.items() for part in ("--signer", f"{name}:{key}")]
    store = ["--store", str(tmp_path / "roster"), *signers]
    (tmp_path / "officers.json").write_bytes(lines(new_authenticator().officer("sari")))
    by_key = {key: name for name, key in named.items()}

    def officers(*words: str) -> int:
        return main(["officers", *words, *store])

    assert officers("list") == 2, "there is none yet"
    assert officers("import", str(tmp_path / "officers.json")) == 0
    sign = ("sign", "1", "--name", "ratna", "--key", str(tmp_path / "ratna.key"))
    assert officers(*sign) == 0
    assert officers("activate", "1") == 2, "one signature is not two"
    with pytest.raises(PkiError):
        open_roster(tmp_path / "roster", by_key)
    assert officers("sign", "1", "--name", "yusuf", "--key", str(tmp_path / "ratna.key")) == 2, "another's key"
    assert officers("sign", "1", "--name", "yusuf", "--key", str(tmp_path / "yusuf.key")) == 0
    assert officers("activate", "1") == 0
    roster, _ = open_roster(tmp_path / "roster", by_key)
    assert [each.name for each in roster.officers] == ["sari"]
    capsys.readouterr()
    assert officers("list") == 0
    assert "sari" in capsys.readouterr().out
    (tmp_path / "officers.json").write_bytes(b"{}")
    assert officers("import", str(tmp_path / "officers.json")) == 2


CONSOLE = '[console]\nport = 8413\nroster = "r"\nsigners = ["a:{a}", "b:{b}"]\nlanes = ["two", "three"]\n'


def test_the_console_section_says_what_is_missing(tmp_path):
    file = tmp_path / "gate.toml"
    named = {"a": "0" * 63 + "1", "b": "0" * 63 + "2"}
    file.write_text(CONSOLE.format(**named))
    console = load_console(file)
    assert console.page_origin == "http://localhost:8413"
    assert console.lanes == (tmp_path / "two", tmp_path / "three")
    for changed, key in (
        (CONSOLE.format(**named).replace('roster = "r"\n', ""), "console.port"),
        (CONSOLE.format(a=named["a"], b=named["a"]), "console.signers"),
        (CONSOLE.format(**named).replace("port = 8413\n", ""), "console.origin"),
        (CONSOLE.format(**named).replace("8413", "8410"), "console.port"),
        (CONSOLE.format(**named).replace("port = 8413", 'origin = "http://10.0.0.1:8413"'), "console.origin"),
    ):
        file.write_text(changed)
        with pytest.raises(ConfigError) as refused:
            load(file)
        assert key in {finding.key for finding in refused.value.findings}, changed
