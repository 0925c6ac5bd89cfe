"""A pack loads only as declared: anything missing, unknown, changed or extra is refused, with the place and the remedy."""

import hashlib
import shutil
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceverify import packs
from faceverify.contest import Contest
from faceverify.description import Pack, PackError
from faceverify.description_reader import parse_pack
from faceverify.packs import install_open_pack, load_pack, place, shipped_description

TEXTS = {name: shipped_description(name).decode() for name in ("demo", "open")}


@pytest.fixture
def folder(tmp_path):
    """A pack whose weights are a few bytes: enough for everything but running it."""
    text = TEXTS["demo"]
    for index, net in enumerate(parse_pack(text.encode(), tmp_path).nets):
        data = bytes([index]) * 10
        (tmp_path / net.file).write_bytes(data)
        text = text.replace(net.source_sha256, net.sha256).replace(net.sha256, hashlib.sha256(data).hexdigest())
    (tmp_path / "pack.toml").write_text(text)
    return tmp_path


def test_a_sound_pack_loads(folder):
    pack = load_pack(folder)
    assert (pack.id, pack.permitted_use, pack.demonstration, pack.pad) == ("demo", "demonstration", True, ())
    assert pack.threshold.score == pytest.approx(1 - 0.31)
    assert pack.sha256 == hashlib.sha256((folder / "pack.toml").read_bytes()).hexdigest()


def test_both_shipped_descriptions_say_what_they_must_not_be_used_for(tmp_path):
    uses = {name: parse_pack(text.encode(), tmp_path).permitted_use for name, text in TEXTS.items()}
    assert uses == {"demo": "demonstration", "open": "test"}
    assert all("provisional" in parse_pack(text.encode(), tmp_path).threshold.provenance for text in TEXTS.values())


def test_a_changed_weight_file_is_refused_at_every_load_and_every_read(folder):
    pack = load_pack(folder)
    (folder / "centerface.onnx").write_bytes(b"other")
    for attempt in (lambda: load_pack(folder), lambda: pack.read(pack.detector.net)):
        with pytest.raises(PackError, match=r"centerface\.onnx: sha256 differs .*restore"):
            attempt()


def test_a_missing_weight_file_or_folder_is_named(folder):
    (folder / "dlib_resnet.onnx").unlink()
    with pytest.raises(PackError, match=r"dlib_resnet\.onnx: cannot read"):
        load_pack(folder)
    with pytest.raises(PackError, match=r"pack\.toml: cannot read"):
        load_pack(folder / "nowhere")


def test_an_undeclared_file_is_refused(folder):
    (folder / "second.onnx").write_bytes(b"")
    with pytest.raises(PackError, match=r"undeclared files \['second\.onnx'\]"):
        load_pack(folder)


def leaves(table, path=()):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        elif key != "pad":
            yield (*path, key)


@pytest.mark.parametrize("path", list(leaves(tomllib.loads(TEXTS["demo"]))), ids=".".join)
def test_no_key_has_a_default(path, tmp_path):
    section = "" if len(path) == 1 else TEXTS["demo"].split(f"[{path[0]}]")[0] + f"[{path[0]}]"
    rest = TEXTS["demo"][len(section) :]
    lines = rest.splitlines(keepends=True)
    index = next(i for i, line in enumerate(lines) if line.startswith(f"{path[-1]} ="))
    text = section + "".join(lines[:index] + lines[index + 1 :])
    with pytest.raises(PackError, match=f"{path[-1]}: is missing"):
        parse_pack(text.encode(), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('id = "demo"', 'id = "demo"\nautoupdate = true', "autoupdate: is unknown"),
        ("features = 128", "features = 128\nflip = true", "recogniser: flip: is unknown"),
        ("format = 2", "format = 1", "format: must be 2"),
        ("format = 2", "format = true", "format: must be int"),
        ('"demonstration"', '"everything"', "permitted_use: must be one of"),
        ('"centerface.onnx"', '"../centerface.onnx"', "file: must look like"),
        ('"RGB"', '"GRAY"', "colour_order: must be one of"),
        ("std = [1.0, 1.0, 1.0]", "std = [1.0, 0.0, 1.0]", "std: must be above 0"),
        ("std = [1.0, 1.0, 1.0]", "std = [1.0, nan, 1.0]", "std: must be 3 decimal numbers"),
        ("mean = [0.0, 0.0, 0.0]", "mean = [0.0, 0.0]", "mean: must be 3 decimal numbers"),
        ("score = 0.69", "score = 2.0", "score: must be"),
        ("score = 0.69", "score = nan", "score: must be"),
        ("[47.549, 46.599], ", "", "template: must be 5 points"),
        ("[47.549, 46.599]", "[47.549]", "template: must be 2 decimal numbers"),
        ("[47.549, 46.599]", "[47.549, 150.1]", "template: must lie in the crop"),
        ("[threshold]", "[threshold", "not TOML"),
        ("pad = []", "pad = [1]", "pad: must be tables"),
        ("size = 150", "size = 100000", "size: must be"),
        ('licence = "MIT"', 'licence = " "', "licence: is empty"),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused(old, new, why, tmp_path):
    assert old in TEXTS["demo"]
    with pytest.raises(PackError, match=why.replace("[", r"\[")):
        parse_pack(TEXTS["demo"].replace(old, new, 1).encode(), tmp_path)


def test_a_pack_may_declare_no_threshold_and_then_has_none(tmp_path):
    assert parse_pack(TEXTS["demo"].split("[threshold]")[0].encode(), tmp_path).threshold is None


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_a_pack_or_a_pack_error(tmp_path_factory, data):
    with pytest.raises(PackError):
        parse_pack(data, tmp_path_factory.getbasetemp())


@given(st.data())
def test_any_damage_to_a_description_gives_a_pack_or_a_pack_error(tmp_path_factory, data):
    text = bytearray(TEXTS["open"].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(parse_pack(bytes(text), tmp_path_factory.getbasetemp()), Pack)
    except PackError as error:
        assert error.remedy  # noqa: PT017 - either end is allowed


@pytest.mark.shared
def test_the_open_pack_installs_from_its_files_and_refuses_others(open_pack, shared_dir, tmp_path):
    assert (open_pack.id, open_pack.demonstration, len(open_pack.pad)) == ("open", False, 1)
    assert install_open_pack(shared_dir / "models", open_pack.folder) == open_pack, "a second time it is only checked"
    source = tmp_path / "source"
    source.mkdir()
    for net in open_pack.nets:
        shutil.copyfile(open_pack.folder / net.file, source / net.file)
    (source / open_pack.detector.net.file).write_bytes(b"something else")
    with pytest.raises(PackError, match="sha256"):
        install_open_pack(source, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_pack_of_another_origin_is_not_taken_for_the_open_one(folder):
    with pytest.raises(PackError, match=r"holds another pack \(demo\)"):
        install_open_pack(folder, folder)


@pytest.mark.shared
def test_a_changed_description_is_not_taken_for_the_shipped_one(open_pack, shared_dir, tmp_path, monkeypatch):
    won = Contest(declared=1.0, alternatives={}, decidability=9.0)
    monkeypatch.setattr("faceverify.check.contest", lambda _: won)  # it takes seconds and is not what is asked here
    shutil.copytree(open_pack.folder, tmp_path / "open")
    text = (tmp_path / "open" / "pack.toml").read_text()
    (tmp_path / "open" / "pack.toml").write_text(text.replace("score = 0.86", "score = 0.54"))
    with pytest.raises(PackError, match="not the one this version ships"):
        install_open_pack(shared_dir / "models", tmp_path / "open")


def test_the_second_of_two_builders_finds_the_work_of_the_first(tmp_path):
    for _ in range(2):
        place(tmp_path / "pack", {"a": b"1"})
    assert (tmp_path / "pack" / "a").read_bytes() == b"1"
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_nothing_but_descriptions_is_shipped():
    names = {path.name for path in packs._SHIPPED.rglob("*") if path.is_file()}
    assert names == {"pack.toml"}
