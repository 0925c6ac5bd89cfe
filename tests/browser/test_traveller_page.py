"""What a traveller sees in a real browser: words, pictogram, nothing else."""

import math
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from gate.processes.messages import MoreTime, TravellerView
from gate.ui.traveller.screens import BUTTONS, HOW_TO

pytestmark = pytest.mark.browser

TEXTS = {
    "wait": ("Silakan tunggu di belakang garis kuning", "Wait behind the yellow line"),
    "enter": ("Silakan masuk. Satu orang saja", "Enter. One person only"),
    "scan": ("Letakkan halaman biodata pada pemindai", "Place the data page on the reader"),
    "reading": ("Jangan angkat paspor", "Keep the passport still"),
    "lift": ("Paspor boleh diangkat", "You may lift your passport"),
    "face": ("Hadap ke layar", "Face the screen"),
    "retry": ("Mundur dan ulangi", "Move back and try again"),
    "counter": ("Silakan menuju konter petugas", "Please go to the officer counter"),
    "open": ("Silakan keluar gate", "Please exit the gate"),
    "closed": ("Gerbang tutup", "Gate closed"),
    "emergency": ("Keadaan darurat. Keluar lewat pintu yang terbuka", "Emergency. Leave through the open door"),
}
"""Typed in again: the table of the page is checked against this one."""
NOTES = {
    "closed": ["Silakan ke gerbang lain"],
    "scan": ["Buka sampul paspor lebih dahulu"],
    "face": ["Maju ke tanda kaki kuning", "Lepas topi, kacamata, masker", "Kerudung boleh tetap dipakai"],
    "counter": ["Pintu tertutup? Petugas akan datang"],
}
PANELS = ((1080, 1920), (1920, 1080))
MM = 0.277
"""Of a pixel on a panel of 24 inches, the smallest that is meant (docs/traveller-screen.md)."""
ARC_MM = 2000 * math.tan(math.radians(1 / 60))
"""A minute of arc from 2 m, in millimetres."""
CAPITAL_PX = """(selector) => [...document.querySelectorAll(selector)].map((node) => {
    const ink = document.createElement("canvas").getContext("2d");
    ink.font = getComputedStyle(node).font;
    return ink.measureText("H").actualBoundingBoxAscent;
})"""


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_every_screen_says_it_in_both_languages_and_in_a_picture_within_the_panel(
    size, lane, traveller_address, open_page, shoot
):
    page = open_page(traveller_address, *size)
    for word, (indonesian, english) in TEXTS.items():
        lane.show(TravellerView(screen=word, progress=0.6))
        expect(page.locator("main")).to_have_attribute("data-screen", word)
        expect(page.locator("h1[lang=id]")).to_have_text(indonesian)
        expect(page.locator("main .second")).to_have_text(english)
        for number, note in enumerate(NOTES.get(word, [])):
            expect(page.locator(".note").nth(number)).to_contain_text(note)
        shoot(page, f"traveller-{word}-{size[0]}")
        parts = ["h1", ".second", "main figure svg >> nth=0", *([".note >> nth=-1"] if word in NOTES else [])]
        for part in parts:
            box = page.locator(part).bounding_box()
            right, bottom = box["x"] + box["width"], box["y"] + box["height"]
            assert 0 <= box["x"] < right <= size[0] + 1, (word, part)
            assert 0 <= box["y"] < bottom <= page.locator("main").bounding_box()["height"] + 1, (word, part)
        picture, words = page.locator("main figure").bounding_box(), page.locator("main .words").bounding_box()
        assert picture["y"] + picture["height"] <= words["y"] or picture["x"] + picture["width"] <= words["x"], (
            f"{word}: they overlap"
        )
        for svg in page.locator("main figure svg").all():
            assert svg.bounding_box()["height"] <= picture["height"] + 1, word
            assert svg.bounding_box()["height"] >= size[1] * 0.16, f"{word}: the picture is small"
        for part, minutes in ((parts[0], 20), (parts[1], 20), (".note", 16)):
            for height in page.evaluate(CAPITAL_PX, f"main {part}"):
                assert height * MM >= minutes * ARC_MM, f"{part} is too small to be read from 2 m"


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_before_the_camera_the_traveller_reads_what_to_do_and_then_the_general_words_again(
    size, lane, traveller_address, open_page, shoot
):
    page = open_page(traveller_address, *size)
    lane.show(TravellerView(screen="face"))
    expect(page.locator("h1[lang=id]")).to_have_text(TEXTS["face"][0])
    lane.show(TravellerView(screen="face", guidance="remove_occlusion"))
    expect(page.locator("h1[lang=id]")).to_have_text("Lepas kacamata dan masker. Kerudung boleh tetap dipakai")
    expect(page.locator("main .second")).to_have_text("Remove glasses and mask. A headscarf may stay on")
    expect(page.locator("main")).to_have_attribute("data-screen", "face")
    expect(page.locator("figure svg")).to_be_visible()
    shoot(page, f"traveller-face-remove_occlusion-{size[0]}")
    box = page.locator("main .second").bounding_box()
    assert box["y"] + box["height"] <= size[1] + 1
    lane.show(TravellerView(screen="face"))
    expect(page.locator("h1[lang=id]")).to_have_text(TEXTS["face"][0])


def test_the_progress_of_the_chip_is_shown_while_it_is_read(lane, traveller_address, open_page):
    page = open_page(traveller_address)
    for fraction in (0.25, 0.75):
        lane.show(TravellerView(screen="reading", progress=fraction))
        expect(page.locator(f"progress[value='{fraction}']")).to_be_visible()


def test_a_lane_that_dies_closes_the_gate_on_the_screen_and_one_that_returns_opens_it(lane, traveller_address, open_page):
    page = open_page(traveller_address)
    lane.show(TravellerView(screen="enter"))
    expect(page.locator("h1")).to_have_text("Silakan masuk. Satu orang saja")
    lane.stop()
    expect(page.locator("h1")).to_have_text("Gerbang tutup")
    lane.start()
    expect(page.locator("h1")).to_have_text("Silakan masuk. Satu orang saja", timeout=8000)


def test_a_page_whose_server_dies_shows_the_closed_gate(lane, start_page, open_page):
    address, process = start_page("traveller")
    lane.show(TravellerView(screen="open"))
    page = open_page(address)
    expect(page.locator("h1")).to_have_text("Silakan keluar gate")
    process.terminate()
    assert process.wait(10) == 0
    expect(page.locator("h1")).to_have_text("Gerbang tutup")
    open_page.complaints[:] = [text for text in open_page.complaints if "ERR_CONNECTION_REFUSED" not in text]


def test_a_view_meant_for_officers_never_reaches_the_traveller(lane, traveller_address, open_page, sample):
    page = open_page(traveller_address)
    lane.show(TravellerView(screen="counter"))
    expect(page.locator("h1")).to_have_text("Silakan menuju konter petugas")
    lane.send("traveller_screen", sample.view(transaction="T-1", reasons=("FACE_NO_MATCH",)))
    lane.send("traveller_screen", TravellerView(screen="wait"))
    expect(page.locator("h1")).to_have_text("Silakan tunggu di belakang garis kuning")
    everything = page.content() + "".join(
        page.evaluate("async (path) => (await fetch(path)).text()", path) for path in ("/", "/static/page.js", "/static/page.css")
    )
    for secret in ("FACE_NO_MATCH", "COUNTER", "score", "threshold", "reason", "T-1"):
        assert secret not in everything


def test_motion_stops_for_whoever_asks_for_it(lane, traveller_address, open_page):
    page = open_page(traveller_address, reduced_motion="reduce")
    lane.show(TravellerView(screen="enter"))
    expect(page.locator("h1")).to_have_text("Silakan masuk. Satu orang saja")
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_browser_that_was_rebound_to_loopback_gets_nothing(traveller_address):
    request = urllib.request.Request(traveller_address + "/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    refused.value.close()
    assert refused.value.code == 421


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/officer",
        "/me",
        "/signin",
        "/prepare",
        "/act",
        "/lanes",
        "/static/",
        "/static/..%2fofficer%2fpage.js",
        "/static/app.py",
        "/docs",
    ],
)
def test_the_traveller_listener_has_no_other_route(path, traveller_address):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(traveller_address + path, timeout=5)
    refused.value.close()
    assert refused.value.code == 404


# --- while nobody is there -----------------------------------------------------------------------------------------------


def test_while_nobody_is_there_pictures_show_the_way_in_turn_and_the_words_stay(lane, traveller_address, open_page):
    page = open_page(traveller_address, *PANELS[0])
    lane.show(TravellerView(screen="scan"))
    expect(page.locator(".slide")).to_have_count(len(HOW_TO))
    for number, (_, (indonesian, english)) in enumerate(HOW_TO):
        expect(page.locator(".caption").nth(number)).to_contain_text(indonesian)
        expect(page.locator(".caption").nth(number)).to_contain_text(english)
    turning = "document.getAnimations().map((each) => each.animationName)"
    assert {"first", "second", "third", "fourth"} <= set(page.evaluate(turning))
    expect(page.locator("h1")).to_have_text(TEXTS["scan"][0])
    lane.show(TravellerView(screen="reading"))
    expect(page.locator(".slide")).to_have_count(0)


def test_whoever_wants_no_motion_sees_the_first_picture_alone(lane, traveller_address, open_page):
    page = open_page(traveller_address, *PANELS[0], reduced_motion="reduce")
    lane.show(TravellerView(screen="scan"))
    expect(page.locator(".slide")).to_have_count(len(HOW_TO))
    seen = page.evaluate("[...document.querySelectorAll('.slide')].map((slide) => getComputedStyle(slide).opacity)")
    assert seen == ["1", "0", "0", "0"]


@pytest.fixture(scope="module")
def single_door_address(start_page):
    return start_page("traveller", "--touch", "--single-door")[0]


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_before_a_single_door_nothing_tells_anybody_to_enter(size, lane, single_door_address, open_page, shoot):
    page = open_page(single_door_address, *size)
    for word, done, now in (("reading", 0, "Passport"), ("face", 1, "Face"), ("open", 2, "Exit")):
        lane.show(TravellerView(screen=word))
        expect(page.locator("h1")).to_have_text(TEXTS[word][0])
        expect(page.locator("main li")).to_have_count(3)
        assert "Enter" not in page.locator("main").inner_text()
        expect(page.locator("main li.done")).to_have_count(done)
        expect(page.locator("main li.now")).to_contain_text(now)
        left, right = page.locator("main li").first.bounding_box(), page.locator("main li").last.bounding_box()
        assert left["y"] == right["y"], "side by side"
        shoot(page, f"traveller-single-{word}-{size[0]}")
    lane.show(TravellerView(screen="scan"))
    expect(page.locator(".slide")).to_have_count(3)
    assert "Go in" not in page.locator("main").inner_text()
    turning = set(page.evaluate("document.getAnimations().map((each) => each.animationName)"))
    assert turning & {"first", "second", "middle", "third", "fourth"} == {"first", "middle", "fourth"}, "the whole time one shows"


# --- what can be touched --------------------------------------------------------------------------------------------------


def pressed(page, name: str) -> str:
    return page.locator(f"[data-does={name}]").get_attribute("aria-pressed")


def test_the_lane_hears_who_needs_more_time_and_the_button_shows_what_the_lane_grants(lane, traveller_address, open_page, shoot):
    page = open_page(traveller_address, *PANELS[0])
    lane.show(TravellerView(screen="enter"))
    expect(page.locator("h1")).to_have_text(TEXTS["enter"][0])
    lane.heard.clear()
    button = page.locator("[data-does=more_time]")
    with page.expect_response("**/more-time") as answered:
        button.click()
    assert answered.value.status == 202
    page.wait_for_timeout(100)
    assert ("traveller_screen", MoreTime()) in lane.heard
    assert pressed(page, "more_time") == "false", "not before the lane says so"
    lane.show(TravellerView(screen="enter", more_time=True))
    expect(button).to_have_attribute("aria-pressed", "true")
    shoot(page, "traveller-enter-more_time")
    lane.show(TravellerView(screen="scan"))
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_what_is_touched_is_large_and_lies_lowest(size, lane, traveller_address, open_page):
    page = open_page(traveller_address, *size)
    lane.show(TravellerView(screen="scan"))
    expect(page.locator("h1")).to_have_text(TEXTS["scan"][0])
    buttons = page.locator("footer button")
    assert buttons.count() == len(BUTTONS) - 1, "where nothing is heard there is nothing to mute"
    for number in range(buttons.count()):
        box = buttons.nth(number).bounding_box()
        assert min(box["width"], box["height"]) * MM >= 30
        assert box["y"] >= page.locator("main").bounding_box()["height"]
        assert box["y"] + box["height"] <= size[1]


def test_motion_stops_and_contrast_grows_for_whoever_presses(lane, traveller_address, open_page, shoot):
    page = open_page(traveller_address, *PANELS[0])
    lane.show(TravellerView(screen="face"))
    expect(page.locator("h1")).to_have_text(TEXTS["face"][0])
    assert page.evaluate("document.getAnimations().length") > 0
    page.locator("[data-does=still]").click()
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator("[data-does=contrast]").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
    assert (pressed(page, "still"), pressed(page, "contrast")) == ("true", "true")
    shoot(page, "traveller-face-contrast")
    page.locator("[data-does=contrast]").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(0, 0, 0)"


def test_what_one_traveller_chose_is_not_the_next_ones(lane, traveller_address, open_page):
    page = open_page(traveller_address, *PANELS[0])
    lane.show(TravellerView(screen="open"))
    expect(page.locator("h1")).to_have_text(TEXTS["open"][0])
    page.locator("[data-does=contrast]").click()
    assert page.evaluate("forgetting") == 0, "not while somebody is there"
    page.evaluate(
        "() => { const later = setTimeout; window.setTimeout = (what, when) => later(what, when === FORGET_MS ? 0 : when); }"
    )
    lane.show(TravellerView(screen="scan"))
    expect(page.locator("[data-does=contrast]")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("document.body.hasAttribute('data-contrast')") is False


def test_a_closed_gate_and_an_emergency_offer_nothing_to_touch(lane, traveller_address, open_page):
    page = open_page(traveller_address, *PANELS[0])
    for word in ("closed", "emergency"):
        lane.show(TravellerView(screen=word))
        expect(page.locator("main")).to_have_attribute("data-screen", word)
        expect(page.locator("footer")).to_be_hidden()


# --- what can be heard ------------------------------------------------------------------------------------------------------

LISTEN = """
window.noises = [];
const make = AudioContext.prototype.createOscillator;
AudioContext.prototype.createOscillator = function () { noises.push("tone"); return make.call(this); };
const voice = (lang, localService) => ({ lang, localService, name: lang });
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
speechSynthesis.getVoices = () => [voice("en-GB", true), voice("id-ID", true), voice("id-ID", false)];
speechSynthesis.speak = (words) => noises.push(`${words.voice.lang} ${words.voice.localService}: ${words.text}`);
"""


def listening(open_page, address: str):
    page = open_page(address, *PANELS[0], script=LISTEN)
    expect(page.locator("h1")).to_be_visible()
    return page


def test_nothing_is_heard_unless_it_is_configured(lane, traveller_address, open_page):
    lane.show(TravellerView(screen="wait"))
    page = listening(open_page, traveller_address)
    lane.show(TravellerView(screen="open"))
    expect(page.locator("h1")).to_have_text(TEXTS["open"][0])
    assert page.evaluate("noises") == []


def test_tones_and_words_are_heard_once_a_screen_in_the_machines_own_voices_until_they_are_muted(lane, start_page, open_page):
    address, _ = start_page("traveller", "--touch", "--prompts", "spoken")
    lane.show(TravellerView(screen="wait"))
    page = listening(open_page, address)
    expect(page.locator("h1")).to_have_text(TEXTS["wait"][0])
    page.evaluate("noises.length = 0")
    for progress in (0.1, 0.5, 0.9):
        lane.show(TravellerView(screen="reading", progress=progress))
        expect(page.locator(f"progress[value='{progress}']")).to_be_visible()
    indonesian, english = TEXTS["reading"]
    assert page.evaluate("noises") == ["tone", "tone", f"id-ID true: {indonesian}", f"en-GB true: {english}"]
    page.locator("[data-does=sound]").click()
    lane.show(TravellerView(screen="open"))
    expect(page.locator("h1")).to_have_text(TEXTS["open"][0])
    assert len(page.evaluate("noises")) == 4
