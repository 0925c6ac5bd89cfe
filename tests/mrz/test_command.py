"""``python -m mrz`` reads a file or standard input and never shows a traceback."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from mrz.__main__ import main

GOOD = b"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10\n"


def test_a_zone_is_printed_as_json(tmp_path, capsys):
    (tmp_path / "zone.txt").write_bytes(GOOD)
    assert main([str(tmp_path / "zone.txt")]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["primary_identifier"], shown["date_of_birth"], shown["check_digits_ok"]) == ("ERIKSSON", "740812", True)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", GOOD.lower(), GOOD[:-2], GOOD.replace(b"8", b"\xb3")])
def test_malformed_bytes_are_one_line_and_exit_2(data, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["-"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_file_and_a_missing_argument_are_one_line_and_exit_2(tmp_path, capsys):
    assert main([str(tmp_path / "absent")]) == 2
    assert main([]) == 2
    assert capsys.readouterr().err.count("\n") == 2


def test_the_room_runs_as_a_command_and_loads_nothing_but_the_standard_library():
    code = "import sys, mrz; print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    run = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert [name for name in eval(run.stdout) if not name.startswith("_")] == ["mrz"]
    run = subprocess.run([sys.executable, "-m", "mrz", "-"], input=GOOD, capture_output=True, check=True, timeout=20)
    assert json.loads(run.stdout)["format"] == "TD3"


def test_parse_shows_fields_digits_and_findings_in_words(tmp_path, capsys):
    (tmp_path / "zone.txt").write_bytes(GOOD.replace(b"C36", b"C37"))
    assert main(["parse", str(tmp_path / "zone.txt")]) == 0
    shown = capsys.readouterr().out
    for expected in ("ERIKSSON", "document_number: 7, wrong, expected 6", "line 2, column 10", "issuing_state_specimen"):
        assert expected in shown


def test_a_malformed_zone_is_a_finding_with_its_place_in_json(tmp_path, capsys):
    (tmp_path / "zone.txt").write_bytes(GOOD.replace(b"ANNA", b"AN4A"))
    assert main(["parse", str(tmp_path / "zone.txt"), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)["findings"][0]
    assert (found["layer"], found["line"], found["column"]) == ("syntax", 1, 18)


def test_render_makes_a_zone_from_fields_as_printed(capsys):
    fields = [
        "--document-code",
        "PP",
        "--issuing-state",
        "D",
        "--number",
        "C01X00T47",
        "--nationality",
        "D",
        "--birth",
        "640812",
        "--sex",
        "F",
        "--expiry",
        "270228",
    ]
    assert main(["render", *fields, "--primary", "Müller", "--secondary", "Anna-Lena"]) == 0
    assert capsys.readouterr().out.split() == [
        "PPD<<MUELLER<<ANNA<LENA<<<<<<<<<<<<<<<<<<<<<",
        "C01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4",
    ]
    assert main(["render", *fields, "--primary", "Müller 3"]) == 2
    assert capsys.readouterr().err == "render: column 8: '3' in a name (expected a letter of Doc 9303-3 §6 A or B)\n"
