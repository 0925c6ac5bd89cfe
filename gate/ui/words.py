"""The officer page's words: (Bahasa Indonesia, English) for every state, device, outcome, result and check."""

from __future__ import annotations

Words = tuple[str, str]
"""Bahasa Indonesia, English."""

STATES: dict[str, Words] = {
    "out_of_service": ("Tidak beroperasi", "Out of service"),
    "idle": ("Siap", "Ready"),
    "document": ("Memeriksa dokumen", "Checking the document"),
    "entry_open": ("Pintu masuk terbuka", "Entry open"),
    "entry_close": ("Pintu masuk menutup", "Entry closing"),
    "capture": ("Mengambil gambar wajah", "Capturing the face"),
    "decide": ("Memutuskan", "Deciding"),
    "exit_open": ("Pintu keluar terbuka", "Exit open"),
    "exit_close": ("Pintu keluar menutup", "Exit closing"),
    "hold": ("Menunggu petugas", "Waiting for an officer"),
    "eject": ("Pelintas keluar lewat pintu masuk", "Traveller leaves by the entry"),
    "eject_close": ("Pintu masuk menutup", "Entry closing"),
    "fault": ("Gangguan", "Fault"),
    "emergency": ("Keadaan darurat", "Emergency"),
    "no_power": ("Tanpa daya listrik", "No power"),
    "recover": ("Pemulihan", "Recovering"),
}
STATE_TONES = {
    "idle": "good",
    "out_of_service": "warn",
    "hold": "warn",
    "eject": "warn",
    "recover": "warn",
    "fault": "bad",
    "emergency": "bad",
    "no_power": "bad",
}

CONTROLLERS: dict[str, Words] = {
    "ready": ("Terhubung", "Connected"),
    "lost": ("Terputus", "Lost"),
    "fault": ("Gangguan", "Fault"),
    "emergency": ("Darurat", "Emergency"),
}
LEAVES: dict[str, Words] = {
    "locked": ("Terkunci", "Locked"),
    "opening": ("Membuka", "Opening"),
    "open": ("Terbuka", "Open"),
    "closing": ("Menutup", "Closing"),
    "released": ("Bebas didorong", "Released"),
    "unknown": ("Tidak diketahui", "Unknown"),
}
NO_LEAF = "none"
"""What is told of the entry of a gate with a single door, which is not drawn."""
OCCUPANCIES: dict[str, Words] = {
    "none": ("Kosong", "Empty"),
    "one": ("1 orang", "1 person"),
    "many": ("Lebih dari 1 orang", "More than 1 person"),
    "uncertain": ("Tidak pasti", "Uncertain"),
}
DIRECTIONS: dict[str, Words] = {"arrival": ("Kedatangan", "Arrival"), "departure": ("Keberangkatan", "Departure")}
CLASSES: dict[str, Words] = {
    "ordinary": ("Paspor biasa", "Ordinary passport"),
    "service": ("Paspor dinas", "Service passport"),
    "diplomatic": ("Paspor diplomatik", "Diplomatic passport"),
    "other": ("Dokumen lain", "Other document"),
}
PANELS: dict[str, Words] = {
    "ready": ("Siap", "Ready"),
    "fault": ("Gangguan", "Fault"),
    "tamper": ("Rumah pembaca terbuka", "Enclosure open"),
    "assistance": ("Pelintas minta bantuan", "A traveller asks for help"),
}
OUTCOMES: dict[str, Words] = {
    "OPEN": ("Buka", "Open"),
    "RETRY": ("Ulangi", "Try again"),
    "COUNTER": ("Konter petugas", "Officer counter"),
    "SECONDARY": ("Pemeriksaan lanjutan", "Secondary inspection"),
    "HOLD": ("Tahan pintu", "Hold the gate"),
}
RESULTS: dict[str, Words] = {
    "successful": ("berhasil", "successful"),
    "failed": ("gagal", "failed"),
    "undetermined": ("tidak dapat ditentukan", "undetermined"),
    "not_supported": ("tidak didukung", "not supported"),
    "aborted": ("terhenti", "aborted"),
    "not_performed": ("tidak dilakukan", "not performed"),
}
"""TR-03135-1 §3.5.1; the page colours them green, red, yellow and grey, and always prints the word."""

CHECK_TREE: tuple[tuple[Words, tuple[tuple[str, Words], ...]], ...] = (
    (
        ("Pemeriksaan optik", "Optical checks"),
        (
            ("mrz", ("Zona terbaca mesin", "Machine readable zone")),
            ("infrared", ("Tampak dalam inframerah", "Shows in infrared")),
        ),
    ),
    (
        ("Pemeriksaan elektronik", "Electronic checks"),
        (
            ("access", ("Kendali akses", "Access control")),
            ("card_access", ("Penawaran PACE", "PACE offer")),
            ("chip", ("Pembacaan cip", "Chip reading")),
            ("passive_authentication", ("Autentikasi pasif", "Passive authentication")),
            ("revocation", ("Pencabutan sertifikat", "Certificate revocation")),
            ("chip_authenticity", ("Keaslian cip", "Chip authenticity")),
        ),
    ),
    (
        ("Pemeriksaan gabungan", "Combined checks"),
        (("dg1_mrz", ("DG1 sama dengan MRZ", "DG1 equals the MRZ")), ("expiry", ("Masa berlaku", "Expiry"))),
    ),
    (
        ("Pelintas", "Traveller"),
        (
            ("nationality", ("Kewarganegaraan", "Nationality")),
            ("document_class", ("Jenis dokumen", "Document class")),
            ("age", ("Kelompok usia", "Age band")),
            ("guardian", ("Pendamping", "Guardian")),
            ("enablement", ("Dilayani di gerbang ini", "Served at this gate")),
        ),
    ),
    (
        ("Registri", "Registries"),
        (
            ("issuance", ("Data penerbitan", "Issuance record")),
            ("document_model", ("Jenis buku", "Model of the book")),
            ("biometric_record", ("Data biometrik", "Biometric record")),
            ("issuer_portrait", ("Foto pada penerbit", "Portrait at the issuer")),
            ("exit_permit", ("Izin keluar", "Exit permit")),
            ("pencegahan", ("Pencegahan", "Barred from leaving")),
            ("penangkalan", ("Penangkalan", "Barred from entering")),
            ("wanted", ("Orang yang dicari", "Wanted persons")),
            ("sltd", ("Dokumen hilang dan dicuri", "Lost and stolen documents")),
            ("stay_permit", ("Visa atau izin tinggal", "Visa or stay permit")),
            ("declaration", ("Deklarasi kedatangan", "Arrival declaration")),
        ),
    ),
    (
        ("Wajah dan ruang gerbang", "Face and passage"),
        (
            ("occupancy", ("Jumlah orang", "Occupancy")),
            ("face", ("Perbandingan wajah", "Face comparison")),
            ("pad", ("Deteksi serangan presentasi", "Presentation attack detection")),
        ),
    ),
    (
        ("Gerbang", "Gate"),
        (
            ("controller", ("Pengendali gerbang", "Gate controller")),
            ("supervision", ("Pengawasan petugas", "Officer supervision")),
            ("clock", ("Jam", "Clock")),
            ("profile", ("Profil", "Profile")),
        ),
    ),
)
"""The groups of TR-03135-1 §5.5–5.9, then the gate's own; together every fact of :data:`gate.evidence.VOCABULARY` once."""

INSPECTION: Words = ("Langkah pemeriksaan bukti elektronik", "Steps of the electronic proof")
INSPECTION_STEPS: dict[str, Words] = {
    "decode": ("Berkas tanda tangan terbaca", "Signed file readable"),
    "signer": ("Sertifikat penanda tangan", "Signer's certificate"),
    "attributes": ("Atribut tanda tangan", "Signed attributes"),
    "signature": ("Tanda tangan", "Signature"),
    "chain": ("Sertifikat negara (CSCA)", "State's certificate (CSCA)"),
    "validity": ("Berlaku saat penandatanganan", "Valid when signed"),
    "country": ("Negara penanda tangan", "Signer's State"),
    "revocation": ("Pencabutan sertifikat", "Certificate revocation"),
    "hashes": ("Keutuhan kelompok data", "Data group integrity"),
    "issuing state": ("Negara penerbit", "Issuing State"),
    "document type": ("Jenis dokumen penanda tangan", "Signer's type of document"),
    "common data": ("EF.COM sama dengan yang ditandatangani", "EF.COM equals what is signed"),
    "printed mrz": ("DG1 sama dengan MRZ", "DG1 equals the MRZ"),
    "chip authenticity": ("Keaslian cip", "Chip authenticity"),
    "card access": ("Penawaran PACE", "PACE offer"),
}
"""By the names of :mod:`pki.inspection_record`."""

WARNINGS: dict[str, str] = {
    "reader": "Pembaca dokumen tidak bekerja: lajur tidak melayani",
    "vision": "Kamera atau pemeriksaan wajah tidak bekerja: lajur tidak melayani",
    "stopping": "Layanan sedang dihentikan: tidak ada pelintas baru",
    "controller": "Pengendali gerbang bermasalah: lajur tidak melayani",
    "UnsafeNoPad": "Tanpa deteksi serangan presentasi: wajah palsu tidak dikenali",
    "profile demo": "Profil demo: latihan, bukan perlintasan",
    "profile training": "Profil pelatihan: latihan, bukan perlintasan",
    "face weights for research alone, waived": "Bobot wajah hanya untuk riset, dengan pengecualian tertulis",
    "reader panel": "Panel pembaca bermasalah",
    "rules": "Aturan terbaru tidak dipakai: lajur memakai yang terakhir terbukti",
    "demonstration recogniser, not for operation": "Pengenal wajah demonstrasi, bukan untuk operasi",
}
"""Bahasa Indonesia for the standing warnings, by their words before a colon; the English is what the lane says."""


def warning(text: str) -> Words:
    """``text`` in both languages; as it is where there is no translation."""
    return WARNINGS.get(text.split(":", maxsplit=1)[0], text), text
