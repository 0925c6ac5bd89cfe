"""Installing the open pack: from a folder and from an address, checked by hash either way."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest

from gate.models import install_command


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
    assert "permitted use: test" in capsys.readouterr().out
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


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
