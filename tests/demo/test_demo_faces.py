"""The demonstration with a pack that an operator installed: real weights, presentation attack detection, by configuration alone."""

from __future__ import annotations

import pytest

from gate.demo.run import demo_command

pytestmark = [pytest.mark.processes, pytest.mark.shared, pytest.mark.timeout(300)]


def test_with_the_open_pack_every_result_names_pack_and_scores_and_tolerates_no_missing_pad(open_pack_run):
    """What the PAD says of photographs shown to a camera is its own business: an attack refers, and nothing else lets pass."""
    assert open_pack_run.result["faces"]["pack"] == "open"
    for each in open_pack_run.result["transactions"]:
        assert "Open weights" in each["backends"]["face"]
        assert "not tested to ISO/IEC 30107-3" in each["backends"]["pad"]
        assert each["tolerances"] == []
        pad = each["scores"]["pad"]
        attack = pad["score"] >= pad["threshold"]
        assert each["checks"]["pad"] == ("attack" if attack else "bona_fide")
        if attack:
            assert (each["outcome"], each["reasons"], each["checks"]["face"].split()[0]) == (
                "SECONDARY",
                ["PRESENTATION_ATTACK"],
                "not_performed",
            )
        else:
            face = each["scores"]["face"]
            matched = face["score"] >= face["threshold"]
            assert each["checks"]["face"] == ("match open" if matched else "no_match open")
            assert each["outcome"] == ("OPEN" if matched else "COUNTER")
    outcomes = open_pack_run.outcomes()
    assert outcomes["borrowed"][0] != "OPEN"
    assert outcomes["diplomatic"] == ("OPEN", [])


def test_a_folder_that_is_no_pack_is_one_line_and_no_demonstration(tmp_path, capsys):
    import argparse

    from gate.demo.run import add_arguments

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert demo_command(parser.parse_args(["--faces", str(tmp_path), "--state", str(tmp_path / "state")])) == 2
    assert "pack.toml: cannot read" in capsys.readouterr().err
