"""The fleet page's words: (Bahasa Indonesia, English)."""

from __future__ import annotations

from gate.report.causes import OTHER
from gate.ui.words import Words

CAUSES: dict[str, Words] = {
    "chip unread": ("Cip tidak terbaca", "Chip not read"),
    "no chip in the book": ("Buku tanpa cip", "No chip in the book"),
    "no trust anchor": ("Sertifikat negara penerbit tidak ada", "No trust anchor"),
    "no biometric record": ("Tanpa rekaman biometrik", "No biometric record"),
    "class not enabled": ("Jenis belum dilayani di gerbang", "Class not served at the gate"),
    "no exit permit": ("Tanpa izin keluar yang berlaku", "No valid exit permit"),
    "issuer down": ("Penerbit tidak menjawab", "Issuer does not answer"),
    "permit registry down": ("Registri izin keluar tidak menjawab", "Permit registry does not answer"),
    OTHER: ("Sebab lain", "Other causes"),
}
"""By :data:`gate.report.causes.OFFICIAL`."""
FEW: Words = ("Sebab-sebab yang jarang, bersama", "Rare causes, together")

ALERTS: dict[str, Words] = {
    "gap": ("Catatan hilang di antara", "Records missing in between"),
    "fork": ("Dua catatan untuk satu nomor", "Two records under one number"),
    "late": ("Catatan terlambat", "Records are late"),
    "silent": ("Gerbang tidak terdengar", "Gate is silent"),
    "clock": ("Jam gerbang meragukan", "Gate's clock is doubtful"),
    "forged": ("Tanda tangan palsu", "Forged signature"),
    "rollout": ("Peluncuran perlu perhatian", "Roll-out needs somebody"),
    "refused": ("Pesan ditolak", "Messages refused"),
}
VERSIONS: dict[str, Words] = {
    "software": ("Perangkat lunak", "Software"),
    "rules": ("Aturan", "Rules"),
    "rules.statement": ("Pernyataan aturan", "Statement on rules"),
    "trust": ("Sertifikat tepercaya", "Trust store"),
    "trust.statement": ("Pernyataan sertifikat", "Statement on trust"),
    "roster.statement": ("Daftar petugas", "Roster of officers"),
    "face": ("Pengenal wajah", "Face recogniser"),
}
"""What ought to be the same at all gates; a gate's configuration is its own."""
SERVING: Words = ("Melayani", "Serving")
"""A traveller is being served, whatever step it is: a page that changed with each would flicker."""
SILENT: Words = ("Tidak terdengar", "Silent")
NEVER: Words = ("Belum terdengar", "Never heard")
NO_LANE: Words = ("Lajur tidak menjawab", "Lane does not answer")


def alert(code: str) -> Words:
    """The code itself where there are no words."""
    return ALERTS.get(code, (code, code))
