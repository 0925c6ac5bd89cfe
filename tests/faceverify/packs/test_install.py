"""A pack is installed when its files, its shapes and its numbers are what it declares; every kind of broken pack is refused."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil

import numpy as np
import onnxruntime
import pytest

from faceverify.check import check_pack
from faceverify.description import PackError
from faceverify.install import install_pack
from faceverify.onnx_writer import GraphBuilder, integer, message
from faceverify.packs import installed_pack, load_pack

pytestmark = pytest.mark.shared

RECOGNISER = 'file = "omz_reid0095_leaky.onnx"'
BGR = 'licence = "Apache-2.0"\ncolour_order = "BGR"\nmean = [0.0, 0.0, 0.0]         # the normalisation is inside the network'
RGB = BGR.replace('"BGR"', '"RGB"')
STD = "std = [1.0, 1.0, 1.0]\nsize = 128\nfeatures"
TEMPLATE = "[[40.3928, 59.0815], [87.3757, 59.0815], [64.0336, 81.9847], [44.7324, 105.5606], [83.6399, 105.5606]]"
DLIB = "[[40.575, 39.764], [85.739, 39.764], [63.158, 65.334], [43.021, 87.913], [83.283, 87.913]]"


def repinned(folder, name, data):
    """Put other bytes in place, with a description that pins them."""
    old = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / name).write_bytes(data)
    text = (folder / "pack.toml").read_text()
    (folder / "pack.toml").write_text(text.replace(old, hashlib.sha256(data).hexdigest()))


def test_the_open_pack_installs_from_the_graph_before_the_rewrite_to_the_very_bytes_of_the_one_after(
    open_pack, shared_dir, tmp_path
):
    source = tmp_path / "published"
    source.mkdir()
    for name in ("omz_reid0095.onnx", "jrl_antispoof_98.20.onnx", "yunet_n_dynamic.onnx"):
        shutil.copy(shared_dir / "models" / name, source)
    report = install_pack(source, tmp_path / "open", name="open")
    net = report.nets[1]
    assert (net.shared, net.per_channel, net.difference) == (48, 0, 0.0)
    assert (report.nets[2].shared, report.nets[2].per_channel) == (0, 33)
    assert report.nets[2].difference <= 1e-5
    after = (shared_dir / "models" / "omz_reid0095_leaky.onnx").read_bytes()
    assert (tmp_path / "open" / "omz_reid0095_leaky.onnx").read_bytes() == after
    assert report.pack.sha256 == open_pack.sha256


def test_an_installed_pack_carries_the_figures_of_its_examination(open_pack):
    receipt = json.loads((open_pack.folder / "receipt.json").read_text())
    assert receipt["pack_sha256"] == open_pack.sha256
    assert receipt["contest"] is None
    assert receipt["self_test"]["vector_difference"] < 1e-5
    assert receipt["self_test"]["mated"] > 0.8 > 0.4 > receipt["self_test"]["non_mated"]
    assert installed_pack(open_pack.folder) == open_pack


def test_a_pack_that_nobody_examined_as_it_lies_there_is_not_taken_for_installed(copy_of):
    folder = copy_of()
    load_pack(folder)
    for receipt in (None, "", "[]", '{"pack_sha256": "0"}'):
        if receipt is not None:
            (folder / "receipt.json").write_text(receipt)
        with pytest.raises(PackError, match="was not examined"):
            installed_pack(folder)


def test_a_pack_with_its_own_description_installs_and_is_then_only_checked(copy_of, tmp_path):
    source = copy_of(("score = 0.86", "score = 0.5"))
    assert install_pack(source, tmp_path / "mine").pack.threshold.score == 0.5
    assert install_pack(source, tmp_path / "mine").nets == ()


REFUSED = {
    "colours_swapped": ([(BGR, RGB)], "features differ from the reference vector"),
    "normalised_twice": ([(STD, STD.replace("1.0", "255.0"))], "features differ from the reference vector"),
    "other_template": ([(TEMPLATE, DLIB)], "features differ from the reference vector"),
    "vector_off": ([("0.222710, -2.377022", "0.232710, -2.377022")], "features differ from the reference vector by 0.0006"),
    "wrong_width": ([("features = 256", "features = 128")], "features: must be 128 decimal numbers"),
    "wrong_size": ([("size = 128\nfeatures", "size = 112\nfeatures")], r"takes \[\(1, 3, 128, 128\)\], the pack says \[n, 3, 112, 112\]"),
    "wrong_norm": ([('output_norm = "free"', 'output_norm = "unit"')], "vectors of length 16"),
    "detector_colours_swapped": ([('colour_order = "BGR"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\nframe', 'colour_order = "RGB"\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\nframe')], "the detector's points are off"),
    "pad_colours_swapped": ([('colour_order = "RGB"', 'colour_order = "BGR"')], r"jrl_antispoof_98\.20\.onnx gives 0\.86.* instead of 0\.0039"),
    "wrong_kind": ([('kind = "yunet"', 'kind = "scrfd"')], "is no SCRFD with five points"),
    "threshold_beyond_the_mated_pair": ([("score = 0.86", "score = 0.99")], "mated pair 0.9.*, threshold 0.990"),
    "threshold_without_data": ([('permitted_use = "test"', 'permitted_use = "trial"')], "threshold: fmr: is missing"),
    "unlicensed": ([('licence = "Apache-2.0, as their publishers state"\n', "")], "licence: is missing"),
    "non_commercial_for_operation": ([('grant = "open"', 'grant = "non_commercial"'), ('permitted_use = "test"', 'permitted_use = "operation"'), ("[threshold]", "[threshold]\nfmr = 0.0\nfmr_upper = 0.001\ndataset = 'd'\ndataset_sha256 = '" + "0" * 64 + "'\ncomparisons = 3000\nstratum = 'all'")], "forbids all but research"),
    "unsupported_fmr": ([("[threshold]", "[threshold]\nfmr = 0.0\nfmr_upper = 0.0001\ndataset = 'd'\ndataset_sha256 = '" + "0" * 64 + "'\ncomparisons = 3000\nstratum = 'all'")], "fmr_upper: is less than 3000 comparisons can show"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "why"), REFUSED.values(), ids=REFUSED)
def test_a_broken_pack_is_refused_with_the_reason_and_nothing_stays_behind(copy_of, tmp_path, changes, why):
    source = copy_of(*changes)
    with pytest.raises(PackError, match=why):
        install_pack(source, tmp_path / "target" / "mine")
    assert not list((tmp_path / "target").iterdir())


def truncated(folder):
    path = folder / "omz_reid0095_leaky.onnx"
    repinned(folder, path.name, path.read_bytes()[:2_000_000])


def other_bytes(folder):
    with (folder / "omz_reid0095_leaky.onnx").open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"\xff")


def undeclared(folder):
    (folder / "pack.toml").write_text((folder / "pack.toml").read_text().replace("[[pad]]", "[extra]"))


def linked(folder):
    path = folder / "jrl_antispoof_98.20.onnx"
    path.rename(folder.parent / "outside.onnx")
    path.symlink_to(folder.parent / "outside.onnx")


def huge(folder):
    os.truncate(folder / "yunet_n_dynamic.onnx", 1 << 40)  # sparse: takes no room


def huge_description(folder):
    os.truncate(folder / "pack.toml", 1 << 40)


def no_file(folder):
    (folder / "yunet_n_dynamic.onnx").unlink()
    os.mkfifo(folder / "yunet_n_dynamic.onnx")


def weight(*parts):
    """A network whose only weight is made of these fields."""
    builder = GraphBuilder()
    builder.weights.append(b"".join(parts) + message(8, "w"))
    builder.node("Add", "input", "w", output="o")
    return builder.model(inputs={"input": (1, 3, 128, 128)}, outputs={"o": (1, 3, 128, 128)})


def impossible_shape(folder):
    """A few bytes that claim 2^40 values."""
    repinned(folder, "omz_reid0095_leaky.onnx", weight(integer(1, 1 << 40), integer(2, 1), message(9, bytes(4))))


def outside_weights(folder):
    """A weight whose values lie in another file, which need not be one of ours."""
    elsewhere = message(13, message(1, "location") + message(2, "/etc/passwd"))
    repinned(folder, "omz_reid0095_leaky.onnx", weight(integer(1, 1), integer(2, 1), elsewhere, integer(14, 1)))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (truncated, r"omz_reid0095_leaky\.onnx"),
        (other_bytes, r"omz_reid0095_leaky\.onnx: sha256 differs"),
        (undeclared, "pad: is missing|extra: is unknown"),
        (linked, r"jrl_antispoof_98\.20\.onnx: is a link"),
        (huge, r"yunet_n_dynamic\.onnx: has 1099511627776 bytes, more than"),
        (huge_description, r"pack\.toml: has 1099511627776 bytes, more than"),
        (no_file, r"yunet_n_dynamic\.onnx: is no regular file"),
        (impossible_shape, r"omz_reid0095_leaky\.onnx.*a weight of impossible shape"),
        (outside_weights, r"omz_reid0095_leaky\.onnx.*weights outside of the file"),
    ],
)
def test_a_damaged_or_hostile_file_is_refused_with_its_name(copy_of, tmp_path, damage, why):
    source = copy_of()
    damage(source)
    with pytest.raises(PackError, match=why):
        install_pack(source, tmp_path / "target" / "mine")
    target = tmp_path / "target"
    assert not target.exists() or not list(target.iterdir())


def test_an_undeclared_file_in_the_source_is_not_taken_along_and_one_in_the_pack_is_refused(copy_of, tmp_path):
    source = copy_of()
    (source / "stranger.onnx").write_bytes(b"x")
    install_pack(source, tmp_path / "mine")
    assert not (tmp_path / "mine" / "stranger.onnx").exists()
    (tmp_path / "mine" / "stranger.onnx").write_bytes(b"x")
    with pytest.raises(PackError, match="undeclared files"):
        check_pack(tmp_path / "mine")


def test_an_archive_is_not_unpacked(tmp_path):
    (tmp_path / "buffalo_l.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(PackError, match="is no folder"):
        install_pack(tmp_path / "buffalo_l.zip", tmp_path / "target")


def test_a_rewrite_that_would_change_the_numbers_is_left_undone(copy_of, shared_dir, tmp_path, monkeypatch):
    source = copy_of()
    text = (source / "pack.toml").read_text()
    jrl = shared_dir / "models" / "jrl_antispoof_98.20.onnx"
    original = hashlib.sha256(jrl.read_bytes()).hexdigest()
    shutil.copy(jrl, source)
    (source / "pack.toml").write_text(
        re.sub(rf'(?m)^sha256 = "[0-9a-f]+"(?=\nsource_sha256 = "{original}")', f'sha256 = "{original}"', text)
    )
    monkeypatch.setattr("faceverify.install.largest_difference", lambda *_: 2e-5)
    net = install_pack(source, tmp_path / "mine").nets[2]
    assert (net.sha256, net.source_sha256, net.difference) == (original, original, 2e-5)
    assert "left as it came" in net.note


def test_the_reference_vector_is_that_of_opencv_on_real_faces_too(open_pack, shared_dir, pictures):
    """Beside the stored vector of a drawing: each face of the group picture through OpenCV's runtime, on the publisher's graph."""
    import cv2

    from faceverify.examiner import Examiner

    examiner = Examiner(open_pack)
    network = cv2.dnn.readNetFromONNX(str(shared_dir / "models" / "omz_reid0095.onnx"))
    picture, faces = examiner.group()
    for face in faces[:2]:
        crop = examiner.crop(picture, face.points)
        network.setInput(cv2.dnn.blobFromImage(crop))
        np.testing.assert_allclose(examiner.features(crop), network.forward().ravel(), atol=1e-4)


def test_onnx_runtime_loads_what_was_written(open_pack):
    for net in open_pack.nets:
        assert onnxruntime.InferenceSession(open_pack.read(net), providers=["CPUExecutionProvider"]).get_inputs()
