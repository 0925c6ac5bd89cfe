"""Notes, checkpoints and keys: any bytes in, a value or NoteError out; and nothing is believed but what was signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.audit.note import GATE, WITNESS, Checkpoint, Note, NoteError, VerifierKey, cosigned, signed

CHECKPOINT = Checkpoint(
    origin="autogate/L1/0123456789abcdef", size=7, root=b"r" * 32, head=b"h" * 32, at=datetime(2026, 3, 2, tzinfo=UTC)
)

# The example of the Go module golang.org/x/mod/sumdb/note (documentation of the package): a key and a note that it signed.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_that_another_implementation_signed_is_believed_and_no_other():
    key, note = VerifierKey.parse(GO_KEY), Note.parse(GO_NOTE)
    assert str(key) == GO_KEY
    assert note.encoded == GO_NOTE
    assert note.is_signed_by(key)
    assert not replace(note, text=note.text.replace("answer", "answer ")).is_signed_by(key)


def test_a_checkpoint_is_read_as_it_was_written():
    assert Checkpoint.parse(CHECKPOINT.text) == CHECKPOINT


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        CHECKPOINT.text + "more\n",
        CHECKPOINT.text[:-1],
        CHECKPOINT.text.replace("\n7\n", "\n07\n"),
        CHECKPOINT.text.replace("\n7\n", "\n-7\n"),
        CHECKPOINT.text.replace("\n7\n", "\n٧\n"),
        CHECKPOINT.text.replace("+00:00", ""),
        CHECKPOINT.text.replace("head ", "head  "),
        CHECKPOINT.text.replace("autogate/L1", "auto gate"),
        replace(CHECKPOINT, root=b"short").text,
    ],
)
def test_what_is_no_checkpoint_is_refused(wrong):
    with pytest.raises(NoteError):
        Checkpoint.parse(wrong)


@settings(max_examples=60)
@given(st.text() | st.text(alphabet="— \n+ab=1", max_size=60))
def test_any_text_is_a_note_a_checkpoint_and_a_key_or_none(text):
    for kind in (Note, Checkpoint, VerifierKey):
        try:
            found = kind.parse(text)
        except NoteError:
            continue
        again = found.encoded if kind is Note else found.text if kind is Checkpoint else str(found)
        assert kind.parse(again) == found


def test_only_the_signer_of_this_text_counts(gate):
    note = Note(text=CHECKPOINT.text).with_lines(signed(CHECKPOINT.text, gate.signer))
    assert note.is_signed_by(gate.key)
    assert not note.is_signed_by(VerifierKey.of(gate.witness))
    assert not note.is_signed_by(replace(gate.key, name="autogate/L2"))
    assert not replace(note, text=replace(CHECKPOINT, size=8).text).is_signed_by(gate.key)
    assert not Note(text=CHECKPOINT.text).is_signed_by(gate.key)
    forged = (*note.signatures[0][:2], bytes(64))
    assert not replace(note, signatures=(*note.signatures, forged)).is_signed_by(gate.key)


def test_a_cosignature_says_when_and_is_no_signature_of_a_gate(gate):
    note = Note(text=CHECKPOINT.text).with_lines(cosigned(CHECKPOINT.text, gate.witness, 1_700_000_000))
    assert note.cosigned(gate.witness_key) == 1_700_000_000
    assert not note.is_signed_by(gate.witness_key)
    assert not note.is_signed_by(VerifierKey.of(gate.witness, GATE))
    assert note.cosigned(gate.key) is None
    name, id_, value = note.signatures[0]
    for wrong in (b"\1" + value[1:], value[:-1], value[:-1] + bytes([value[-1] ^ 1]), b""):
        assert replace(note, signatures=((name, id_, wrong),)).cosigned(gate.witness_key) is None


def test_a_key_that_was_miscopied_is_refused(gate):
    text = str(gate.witness_key)
    assert VerifierKey.parse(text) == VerifierKey.of(gate.witness, WITNESS)
    for wrong in (text.replace("w1", "w2"), text[:-2] + ("A=" if text[-2] != "A" else "B="), text[:-6], "x+y", ""):
        with pytest.raises(NoteError):
            VerifierKey.parse(wrong)


def test_too_many_signatures_are_refused():
    line = "— a {}\n"
    many = "".join(line.format("AAAA" + "A" * 4 * n) for n in range(1, 40))
    with pytest.raises(NoteError, match="more than"):
        Note.parse("text\n\n" + many)
