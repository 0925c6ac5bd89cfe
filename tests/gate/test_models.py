"""Installing the open pack: from a folder and from an address, checked by hash either way."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from faceverify.description import PackError
from faceverify.nets import open_session, run_session
from faceverify.onnx_writer import GraphBuilder
from gate.models import bounded_memory, check_command, install_command


@pytest.fixture
def published(shared_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    for file in (shared_dir / "models").glob("*.onnx"):
        shutil.copy(file, folder)
    return folder


@pytest.mark.shared
def test_installs_from_a_folder_and_says_what_it_may_be_used_for(published: Path, tmp_path: Path, capsys):
    assert install_command(str(published), tmp_path / "packs") == 0
    out = capsys.readouterr().out
    assert "permitted use test; licence Apache-2.0" in out
    assert "33 with a slope for each channel, rewritten to sha256 9c1289" in out
    assert "self-test: vector within" in out
    assert (tmp_path / "packs" / "open" / "pack.toml").is_file()


@pytest.mark.shared
def test_installs_from_an_address(published: Path, tmp_path: Path):
    handler = functools.partial(_Quiet, directory=str(published))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert install_command(f"http://127.0.0.1:{server.server_port}/", tmp_path / "packs") == 0
        server.shutdown()


@pytest.mark.shared
def test_a_changed_file_is_refused_in_one_line(published: Path, tmp_path: Path, capsys):
    file = published / "omz_reid0095_leaky.onnx"
    data = bytearray(file.read_bytes())
    data[1_000_000] ^= 1
    file.write_bytes(data)
    assert install_command(str(published), tmp_path / "packs") == 2
    error = capsys.readouterr().err
    assert "omz_reid0095_leaky.onnx" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "packs" / "open").exists()


def test_a_missing_folder_and_a_dead_address_are_one_line_each(tmp_path: Path, capsys):
    assert install_command(str(tmp_path / "nowhere"), tmp_path / "packs") == 2
    assert install_command("http://127.0.0.1:9/", tmp_path / "packs") == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.shared
def test_check_examines_what_is_in_place_and_a_damaged_pack_does_not_hide_behind_a_sound_one(
    published: Path, tmp_path: Path, capsys
):
    packs = tmp_path / "packs"
    assert install_command(str(published), packs) == 0
    assert check_command(packs, []) == 0
    assert "self-test: vector within" in capsys.readouterr().out
    shutil.copytree(packs / "open", packs / "another")
    text = (packs / "another" / "pack.toml").read_text()
    (packs / "another" / "pack.toml").write_text(text.replace("0.222710, -2.377022", "0.3, -2.4"))
    assert check_command(packs, []) == 2
    shown = capsys.readouterr()
    assert "self-test: vector within" in shown.out
    assert "differ from the reference vector" in shown.err
    assert check_command(packs, ["open"]) == 0
    assert check_command(packs, ["nowhere"]) == 2


def test_a_graph_of_a_few_bytes_that_asks_for_all_memory_is_refused():
    """A shape that names 2^40 values, filled when the network is opened."""
    builder = GraphBuilder()
    filled = builder.node("ConstantOfShape", builder.integers((1 << 20, 1 << 20)))
    total = builder.node("ReduceSum", filled, keepdims=0)
    builder.node("Add", "input", total, output="o")
    model = builder.model(inputs={"input": (1, 3, 8, 8)}, outputs={"o": (1, 3, 8, 8)})
    with bounded_memory(), pytest.raises(PackError, match=r"bomb\.onnx: ONNX Runtime"):
        run_session(open_session(model, "bomb.onnx"), np.zeros((1, 3, 8, 8), np.float32), "bomb.onnx")


def test_no_pack_at_all_is_not_a_passed_check(tmp_path: Path, capsys):
    assert check_command(tmp_path, []) == 2
    assert "no packs" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["models/buffalo_l", "buffalo_l"])
def test_an_insightface_pack_is_found_by_name_in_its_layouts_and_its_licence_read(tmp_path: Path, monkeypatch, capsys, layout):
    folder = tmp_path / layout
    folder.mkdir(parents=True)
    asked = []

    def install(source: Path, target: Path, **how: object) -> None:
        asked.append((source, target.name, how["name"], how["grant"]))
        raise PackError("stop", "here", "enough seen")

    monkeypatch.setattr("gate.models.install_pack", install)
    for source in (tmp_path, folder):
        assert install_command(str(source), tmp_path / "packs", "buffalo_l") == 2
    assert asked == [(folder, "buffalo_l", "insightface", "non_commercial")] * 2
    (folder / "MODEL.LICENSE").write_text("{}")
    assert install_command(str(tmp_path), tmp_path / "packs", "buffalo_l") == 2
    assert "has not the fields of a licence" in capsys.readouterr().err
    assert len(asked) == 2


def test_only_the_open_pack_is_fetched_and_unknown_names_are_named(tmp_path: Path, capsys):
    assert install_command("http://127.0.0.1:9/", tmp_path / "packs", "buffalo_l") == 2
    assert "only the open pack is fetched" in capsys.readouterr().err
    assert install_command(str(tmp_path), tmp_path / "packs", "buffalo_l") == 2
    assert "holds no folder buffalo_l" in capsys.readouterr().err


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
