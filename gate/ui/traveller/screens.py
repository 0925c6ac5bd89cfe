"""What the traveller reads, in Bahasa Indonesia and English. One neutral sentence for every referral, whatever its reason."""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[str, str]
"""(Bahasa Indonesia, English)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One screen. ``tone`` picks its colours and its sound (the pictogram and the words say the same), ``step`` is 1…4 or 0 for none,
    ``notes`` are smaller words beneath.
    """

    id: str
    en: str
    tone: str
    step: int = 0
    notes: tuple[Words, ...] = ()


STEPS: tuple[Words, ...] = (("Paspor", "Passport"), ("Masuk", "Enter"), ("Wajah", "Face"), ("Keluar", "Exit"))
ENTER, ENTER_STEP = "enter", 2
"""The screen and the step that a gate with a single door has not: nobody enters anything there."""

HOW_TO: tuple[tuple[str, Words], ...] = (
    ("scan", ("Letakkan paspor", "Place your passport")),
    ("enter", ("Masuk, satu orang", "Go in, one person")),
    ("face", ("Hadap ke layar", "Face the screen")),
    ("open", ("Keluar gate", "Go through")),
)
"""What the pictures show in turn while nobody is there: the pictogram of a screen, and what is done at it. The words stay those of the
screen ``scan``, so that whoever comes reads what to do now.
"""

SCREENS: dict[str, Screen] = {
    "closed": Screen(
        id="Gerbang tutup", en="Gate closed", tone="stop", notes=(("Silakan ke gerbang lain", "Please use another gate"),)
    ),
    "wait": Screen(id="Silakan tunggu di belakang garis kuning", en="Wait behind the yellow line", tone="pause"),
    "scan": Screen(
        id="Letakkan halaman biodata pada pemindai",
        en="Place the data page on the reader",
        tone="task",
        notes=(("Buka sampul paspor lebih dahulu", "Remove the passport cover first"),),
    ),
    "reading": Screen(id="Jangan angkat paspor", en="Keep the passport still", tone="task", step=1),
    "lift": Screen(id="Paspor boleh diangkat", en="You may lift your passport", tone="task", step=1),
    "enter": Screen(id="Silakan masuk. Satu orang saja", en="Enter. One person only", tone="go", step=2),
    "face": Screen(
        id="Hadap ke layar",
        en="Face the screen",
        tone="task",
        step=3,
        notes=(
            ("Maju ke tanda kaki kuning", "Move onto the yellow feet"),
            ("Lepas topi, kacamata, masker", "Remove hat, glasses, mask"),
            ("Kerudung boleh tetap dipakai", "A headscarf may stay on"),
        ),
    ),
    "open": Screen(id="Silakan keluar gate", en="Please exit the gate", tone="go", step=4),
    "retry": Screen(id="Mundur dan ulangi", en="Move back and try again", tone="back"),
    "counter": Screen(
        id="Silakan menuju konter petugas",
        en="Please go to the officer counter",
        tone="refer",
        notes=(("Pintu tertutup? Petugas akan datang", "Doors shut? An officer will come"),),
    ),
    "emergency": Screen(
        id="Keadaan darurat. Keluar lewat pintu yang terbuka", en="Emergency. Leave through the open door", tone="alarm"
    ),
}
"""By the screen words of :class:`gate.processes.messages.TravellerView`. Nothing here asks anybody to stand: some sit."""

GUIDANCE: dict[str, Words] = {
    "step_closer": ("Maju sedikit", "Come a little closer"),
    "step_back": ("Mundur sedikit", "Move back a little"),
    "stand_on_the_mark": ("Tepat di tanda kaki kuning", "Right on the yellow feet"),
    "face_the_screen": ("Hadapkan wajah lurus ke layar", "Face the screen straight on"),
    "hold_still": ("Diam sebentar", "Hold still for a moment"),
    "more_light": ("Angkat wajah, hadap ke arah cahaya", "Lift your face towards the light"),
    "remove_occlusion": (
        "Lepas kacamata dan masker. Kerudung boleh tetap dipakai",
        "Remove glasses and mask. A headscarf may stay on",
    ),
    "one_person": ("Satu orang saja di depan kamera", "One person only before the camera"),
}
"""What the screen ``face`` may ask for; nothing here is about hair, ears or neck."""

BUTTONS: dict[str, Words] = {
    "more_time": ("Butuh lebih lama", "I need more time"),
    "still": ("Hentikan gerak", "Stop motion"),
    "contrast": ("Kontras tinggi", "High contrast"),
    "sound": ("Matikan suara", "Mute"),
}
"""What can be touched, where it can be."""
