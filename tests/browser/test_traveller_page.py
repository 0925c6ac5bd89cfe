"""What a traveller sees in a real browser: words, pictogram, nothing else."""

import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from gate.processes.messages import TravellerView

pytestmark = pytest.mark.browser

TEXTS = {
    "wait": ("Silakan tunggu di belakang garis kuning", "Wait behind the yellow line"),
    "enter": ("Silakan masuk. Satu orang saja", "Enter. One person only"),
    "scan": ("Buka sampul paspor, letakkan halaman biodata pada pemindai", "Remove the cover, place the data page on the reader"),
    "reading": ("Jangan angkat paspor", "Keep the passport still"),
    "lift": ("Paspor boleh diangkat", "You may lift your passport"),
    "face": (
        "Lepas topi, kacamata, masker. Berdiri di tanda kaki kuning, hadap ke layar",
        "Remove hat, glasses, mask. Stand on the yellow feet, face the screen",
    ),
    "retry": ("Mundur dan ulangi", "Step back and try again"),
    "counter": ("Silakan menuju konter petugas", "Please go to the officer counter"),
    "open": ("Silakan keluar gate", "Please exit the gate"),
    "closed": ("Gerbang tutup", "Gate closed"),
    "emergency": ("Keadaan darurat. Keluar lewat pintu yang terbuka", "Emergency. Leave through the open door"),
}
"""The words of the facts, typed in again: the table of the page is checked against this one."""
PANELS = ((1080, 1920), (1920, 1080))


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_every_screen_says_it_in_both_languages_and_in_a_picture_within_the_panel(
    size, lane, traveller_address, open_page, shoot
):
    page = open_page(traveller_address, *size)
    for word, (indonesian, english) in TEXTS.items():
        lane.show(TravellerView(screen=word, progress=0.6))
        expect(page.locator("main")).to_have_attribute("data-screen", word)
        expect(page.locator("h1[lang=id]")).to_have_text(indonesian)
        expect(page.locator("p[lang=en]")).to_have_text(english)
        shoot(page, f"traveller-{word}-{size[0]}")
        for part in ("h1", "main p", "figure svg"):
            box = page.locator(part).bounding_box()
            right, bottom = box["x"] + box["width"], box["y"] + box["height"]
            assert 0 <= box["x"] < right <= size[0] + 1, (word, part)
            assert 0 <= box["y"] < bottom <= size[1] + 1, (word, part)
        height = page.evaluate("parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)")
        assert height >= 70, "too small to be read from 2 m"


@pytest.mark.parametrize("size", PANELS, ids=("portrait", "landscape"))
def test_before_the_camera_the_traveller_reads_what_to_do_and_then_the_general_words_again(
    size, lane, traveller_address, open_page, shoot
):
    page = open_page(traveller_address, *size)
    lane.show(TravellerView(screen="face"))
    expect(page.locator("h1[lang=id]")).to_have_text(TEXTS["face"][0])
    lane.show(TravellerView(screen="face", guidance="remove_occlusion"))
    expect(page.locator("h1[lang=id]")).to_have_text("Lepas kacamata dan masker. Kerudung boleh tetap dipakai")
    expect(page.locator("p[lang=en]")).to_have_text("Remove glasses and mask. A headscarf may stay on")
    expect(page.locator("main")).to_have_attribute("data-screen", "face")
    expect(page.locator("figure svg")).to_be_visible()
    shoot(page, f"traveller-face-remove_occlusion-{size[0]}")
    box = page.locator("main p").bounding_box()
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
    "path", ["/healthz", "/officer", "/static/", "/static/..%2fofficer%2fpage.js", "/static/app.py", "/docs"]
)
def test_the_traveller_listener_has_no_other_route(path, traveller_address):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(traveller_address + path, timeout=5)
    refused.value.close()
    assert refused.value.code == 404
