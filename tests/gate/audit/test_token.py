"""The gate's signing key in a token: SoftHSM stands for one. What it signs is what a file's key would sign, and it never comes out."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.__main__ import main
from gate.audit.chain import AuditError
from gate.audit.keys import make_key, open_signer
from gate.audit.log import AuditLog
from gate.audit.notary import Notary
from gate.audit.note import FileSigner, Note, VerifierKey, signed
from gate.audit.token import SCHEME, TokenKey, TokenSigner

NAME = "autogate/L1"
MODULES = [
    Path(folder) / "libsofthsm2.so" for folder in ("/usr/lib/softhsm", "/usr/lib/x86_64-linux-gnu/softhsm", "/usr/lib64/pkcs11")
]
PIN = "48151623"


@pytest.fixture(scope="module")
def module() -> str:
    found = next((path for path in MODULES if path.exists()), None)
    missing = "python-pkcs11 (make setup-pkcs11)" if importlib.util.find_spec("pkcs11") is None else ""
    if missing or found is None or shutil.which("softhsm2-util") is None:
        what = f"{missing or 'softhsm2'} is absent"
        pytest.fail(what) if os.environ.get("AUTOGATE_REQUIRE_ALL") == "1" else pytest.skip(what)
    return str(found)


@pytest.fixture(scope="module")
def token(module, tmp_path_factory):
    """A token of its own, with one key in it; the library reads its configuration once a process."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\n")
    (folder / "pin").write_text(f"{PIN}\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    init = ["softhsm2-util", "--init-token", "--free", "--label", "gate", "--so-pin", "4815", "--pin", PIN]
    subprocess.run(init, check=True, capture_output=True)
    uri = f"{SCHEME}token=gate;object=audit?module-path={module}&pin-source={folder / 'pin'}"
    make_key(Path(uri))
    yield uri
    patch.undo()


def test_a_tokens_signature_is_one_like_any_other(token):
    signer = open_signer(Path(token), NAME)
    key = VerifierKey.of(signer)
    note = Note(text="a text\n").with_lines(signed("a text\n", signer))
    assert note.is_signed_by(key)
    assert VerifierKey.of(open_signer(Path(token), NAME)) == key
    assert not isinstance(signer, FileSigner)


def test_a_notary_signs_with_it(token, tmp_path):
    log = AuditLog(tmp_path / "audit.sqlite3", b"k" * 32)
    log.close()
    notary = Notary(tmp_path / "audit.sqlite3", open_signer(Path(token), NAME))
    assert notary.look().problem == ""
    notary.close()


def test_the_key_never_comes_out(token):
    import pkcs11

    private = open_signer(Path(token), NAME)._private
    assert private[pkcs11.Attribute.SENSITIVE]
    assert not private[pkcs11.Attribute.EXTRACTABLE]
    with pytest.raises(pkcs11.PKCS11Error):
        _ = private[pkcs11.Attribute.VALUE]


def test_a_second_key_of_that_name_is_not_made(token, capsys):
    assert main(["audit", "keygen", "--name", NAME, "--key", token]) == 2
    assert "already" in capsys.readouterr().err


def test_the_command_makes_a_key_in_a_token_and_prints_by_which_others_check(token, capsys):
    other = token.replace("object=audit", "object=other%20one")
    assert main(["audit", "keygen", "--name", NAME, "--key", other]) == 0
    assert VerifierKey.parse(capsys.readouterr().out.strip()) == VerifierKey.of(open_signer(Path(other), NAME))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("token=gate", "token=nobody"),
        ("object=audit", "object=nothing"),
        ("pin-source=", "pin-source=/nowhere"),
        ("libsofthsm2.so", "libnothing.so"),
    ],
)
def test_a_token_that_cannot_be_used_is_said_in_one_line(token, old, new):
    with pytest.raises(AuditError, match=r"^audit\.key: .* in the token ") as error:
        open_signer(Path(token.replace(old, new)), NAME)
    assert "\n" not in str(error.value)


def test_a_wrong_pin_is_refused(token, tmp_path):
    """By a process that is not logged in yet."""
    (tmp_path / "pin").write_text("00000000")
    uri = token.partition("&pin-source=")[0] + f"&pin-source={tmp_path / 'pin'}"
    command = [sys.executable, "-m", "gate", "audit", "keygen", "--name", NAME, "--key", uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "PinIncorrect" in done.stderr) == (2, True)


def test_a_token_that_was_pulled_out_signs_again_once_it_is_back(token):
    signer = open_signer(Path(token), NAME)
    assert isinstance(signer, TokenSigner)
    signer._session.close()
    with pytest.raises(AuditError, match="cannot sign"):
        signer.sign(b"x")
    assert len(signer.sign(b"x")) == 64


def test_a_key_that_changed_meanwhile_signs_nothing(token):
    signer = open_signer(Path(token), NAME)
    signer.public, signer._session = bytes(32), None
    with pytest.raises(AuditError, match="another than it was"):
        signer.sign(b"x")


def test_what_is_no_signature_is_not_handed_on(token):
    signer = open_signer(Path(token), NAME)

    class Broken:
        def sign(self, *_, **__):
            return bytes(64)

    signer._private = Broken()
    with pytest.raises(AuditError, match="no signature"):
        signer.sign(b"x")


# --- names of keys -------------------------------------------------------------------------------------------------------------

GOOD = f"{SCHEME}token=my%20gate;object=audit?module-path=/usr/lib/x.so&pin-source=file:/etc/pin"


def test_a_keys_name_is_read_as_rfc_7512_writes_it():
    key = TokenKey.parse(GOOD)
    assert (key.token, key.object, key.module, key.pin_source) == ("my gate", "audit", "/usr/lib/x.so", Path("/etc/pin"))


@pytest.mark.parametrize(
    "uri",
    [
        GOOD.removeprefix(SCHEME),
        GOOD.replace(";object=audit", ""),
        GOOD.replace("object=audit", "object="),
        GOOD.replace("&pin-source=file:/etc/pin", ""),
        GOOD + "&pin-value=1234",
        GOOD.replace("token=my%20gate", "token=my%20gate;serial=1"),
    ],
)
def test_a_name_that_says_too_little_or_too_much_is_refused(uri):
    with pytest.raises(AuditError, match="not the URI"):
        TokenKey.parse(uri)


@given(st.text(max_size=80) | st.text(alphabet="token=;object?module-path&pin%20", max_size=80).map(SCHEME.__add__))
def test_any_text_is_a_name_or_refused(text):
    with pytest.raises(AuditError):
        TokenKey.parse(text)
