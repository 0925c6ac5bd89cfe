"""What the traveller reads, in Bahasa Indonesia and English. One neutral sentence for every referral, whatever its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One screen. ``tone`` picks its colours (the pictogram and the words say the same), ``step`` is 1…4 or 0 for none."""

    id: str
    en: str
    tone: str
    step: int = 0


STEPS = (("Paspor", "Passport"), ("Masuk", "Enter"), ("Wajah", "Face"), ("Keluar", "Exit"))

SCREENS: dict[str, Screen] = {
    "closed": Screen(id="Gerbang tutup", en="Gate closed", tone="stop"),
    "wait": Screen(id="Silakan tunggu di belakang garis kuning", en="Wait behind the yellow line", tone="pause"),
    "scan": Screen(
        id="Buka sampul paspor, letakkan halaman biodata pada pemindai",
        en="Remove the cover, place the data page on the reader",
        tone="task",
        step=1,
    ),
    "reading": Screen(id="Jangan angkat paspor", en="Keep the passport still", tone="task", step=1),
    "lift": Screen(id="Paspor boleh diangkat", en="You may lift your passport", tone="task", step=1),
    "enter": Screen(id="Silakan masuk. Satu orang saja", en="Enter. One person only", tone="go", step=2),
    "face": Screen(
        id="Lepas topi, kacamata, masker. Berdiri di tanda kaki kuning, hadap ke layar",
        en="Remove hat, glasses, mask. Stand on the yellow feet, face the screen",
        tone="task",
        step=3,
    ),
    "open": Screen(id="Silakan keluar gate", en="Please exit the gate", tone="go", step=4),
    "retry": Screen(id="Mundur dan ulangi", en="Step back and try again", tone="back"),
    "counter": Screen(id="Silakan menuju konter petugas", en="Please go to the officer counter", tone="refer"),
    "emergency": Screen(
        id="Keadaan darurat. Keluar lewat pintu yang terbuka", en="Emergency. Leave through the open door", tone="alarm"
    ),
}
"""By the screen words of :class:`gate.processes.messages.TravellerView`."""

GUIDANCE: dict[str, tuple[str, str]] = {
    "step_closer": ("Maju sedikit", "Step a little closer"),
    "step_back": ("Mundur sedikit", "Step back a little"),
    "stand_on_the_mark": ("Berdiri di tanda kaki kuning", "Stand on the yellow feet"),
    "face_the_screen": ("Hadapkan wajah lurus ke layar", "Face the screen straight on"),
    "hold_still": ("Diam sebentar", "Hold still for a moment"),
    "more_light": ("Angkat wajah, hadap ke arah cahaya", "Lift your face towards the light"),
    "remove_occlusion": (
        "Lepas kacamata dan masker. Kerudung boleh tetap dipakai",
        "Remove glasses and mask. A headscarf may stay on",
    ),
    "one_person": ("Satu orang saja di depan kamera", "One person only before the camera"),
}
"""(Bahasa Indonesia, English) of what the screen ``face`` may ask for; nothing here is about hair, ears or neck."""
