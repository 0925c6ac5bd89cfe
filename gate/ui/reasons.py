"""Reason codes in words, and what an officer checks for each. For officers only: no traveller's screen ever imports this.

The words say what the gate found, never that a traveller or a book is false (Doc 9303-12 §2: a failed electronic proof means that
people must look). The check lists are a draft of this project, to be replaced by the operator's procedure.
"""

from __future__ import annotations

from dataclasses import dataclass

from gate.ui.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason: its words, and the officer's steps in order."""

    words: Words
    checks: tuple[Words, ...]


CHECKS: dict[str, Words] = {
    "face_by_eye": ("Bandingkan wajah dengan foto pada paspor", "Compare the face with the picture in the passport"),
    "second_document": ("Minta dokumen identitas kedua", "Ask for a second identity document"),
    "book_by_eye": (
        "Periksa fisik paspor: halaman, laminasi, UV dan IR",
        "Inspect the book itself: pages, laminate, under UV and IR",
    ),
    "read_again": ("Baca ulang paspor pada pembaca di konter", "Read the passport again on the counter's reader"),
    "keep_book": ("Simpan paspor; panggil pengawas", "Keep the passport at hand; call the supervisor"),
    "forensics": ("Teruskan ke pemeriksa dokumen", "Pass on to the document examiner"),
    "key_by_hand": ("Masukkan nomor paspor secara manual", "Key in the document number by hand"),
    "issuer": ("Tanyakan kepada instansi penerbit", "Ask the issuing authority"),
    "trust_store": (
        "Laporkan Negara penerbit kepada pengelola sertifikat",
        "Report the issuing State to the trust store's keeper",
    ),
    "chip_off": ("Anggap data cip tidak terbukti", "Treat what the chip says as unproven"),
    "permit_paper": (
        "Minta surat izin keluar (exit permit) dan surat tugas",
        "Ask for the exit permit and the letter of assignment",
    ),
    "permit_registry": ("Cari izin keluar di sistem Kemlu", "Look for the exit permit in the Foreign Ministry's system"),
    "ordinary_book": (
        "Perjalanan pribadi: gunakan paspor biasa",
        "A private trip: the ordinary passport is the one to use",
    ),
    "list_entry": (
        "Buka entri daftar; cocokkan nama, lahir, jenis kelamin, foto",
        "Open the entry; compare name, birth, sex, picture",
    ),
    "namesake": ("Pastikan apakah hanya senama", "Settle whether it is a namesake"),
    "citizen_returns": (
        "WNI tidak dapat ditolak masuk (UU 6/2011 ps. 14)",
        "A citizen cannot be refused entry (UU 6/2011 art. 14)",
    ),
    "ask_list": ("Tanyakan daftar lewat jalur cadangan", "Query the list over the fallback line"),
    "dates": ("Periksa tanggal berlaku dan aturan negara tujuan", "Check the dates and the destination's rule"),
    "age_guardian": ("Periksa usia dan pendamping", "Check the age and who accompanies"),
    "declaration": ("Bantu mengisi deklarasi All Indonesia", "Help to fill in the All Indonesia declaration"),
    "visa": ("Periksa visa atau izin tinggal", "Check the visa or the stay permit"),
    "one_by_one": ("Minta masuk satu per satu, tanpa barang tertinggal", "Let them enter one by one, with nothing left behind"),
    "look_inside": ("Lihat ke ruang gerbang; bantu pelintas", "Look into the passage; help the traveller"),
    "face_clear": ("Minta melepas penutup wajah; ulangi", "Have whatever covers the face taken off; repeat"),
    "serve_counter": ("Layani di konter", "Serve at the counter"),
    "technician": ("Hentikan lajur; panggil teknisi", "Take the lane out of service; call a technician"),
    "clock": ("Periksa jam gerbang sebelum dipakai lagi", "Have the gate's clock checked before it is used again"),
    "evacuate": (
        "Ikuti prosedur darurat; pastikan ruang kosong",
        "Follow the emergency procedure; see that the passage is empty",
    ),
    "take_over": ("Ambil alih pengawasan lajur", "Take over the supervision of the lane"),
    "see_unmet": ("Lihat butir yang belum terpenuhi pada pohon pemeriksaan", "See in the check tree what was not met"),
}


def _reason(id_: str, en: str, *checks: str) -> Reason:
    return Reason(words=(id_, en), checks=tuple(CHECKS[name] for name in checks))


REASONS: dict[str, Reason] = {
    # document
    "MRZ_UNREADABLE": _reason(
        "Zona terbaca mesin tidak terbaca", "The machine readable zone could not be read", "read_again", "key_by_hand"
    ),
    "DG1_MRZ_DIFFERENT": _reason(
        "Data cip berbeda dari halaman biodata",
        "Chip and data page differ",
        "keep_book",
        "book_by_eye",
        "face_by_eye",
        "forensics",
    ),
    "DG1_MRZ_DOUBTFUL": _reason(
        "Halaman biodata tidak terbaca dengan pasti",
        "The data page could not be read for certain; where it was unsure the chip says otherwise",
        "read_again",
        "book_by_eye",
    ),
    "MRZ_NOT_IN_INFRARED": _reason(
        "Zona MRZ tidak tampak pada inframerah",
        "The machine readable zone does not show in infrared light",
        "keep_book",
        "book_by_eye",
        "forensics",
    ),
    "DOC_EXPIRED": _reason("Masa berlaku paspor habis", "The passport has expired", "dates", "second_document"),
    "EXPIRY_UNKNOWN": _reason(
        "Tanggal habis berlaku tidak terbaca", "The date of expiry could not be read", "read_again", "dates"
    ),
    "VALIDITY_UNDER_6_MONTHS": _reason("Masa berlaku kurang dari 6 bulan", "Less than 6 months of validity left", "dates"),
    "DOCUMENT_CLASS_NOT_ENABLED": _reason(
        "Jenis dokumen belum dilayani gerbang ini", "This class of document is not enabled here", "serve_counter", "book_by_eye"
    ),
    "CLASS_NOT_ENABLED": _reason(
        "Jenis paspor belum dilayani gerbang ini", "This gate does not serve this class of passport yet", "serve_counter"
    ),
    "FOREIGN_OFFICIAL_BOOK": _reason(
        "Paspor dinas atau diplomatik negara lain", "A service or diplomatic passport of another State", "visa", "serve_counter"
    ),
    "NATIONALITY_UNKNOWN": _reason(
        "Kewarganegaraan tidak dapat dipastikan", "The nationality could not be settled", "read_again", "second_document"
    ),
    "UNDER_14": _reason("Anak di bawah 14 tahun", "Child under 14", "age_guardian", "serve_counter"),
    "UNDER_6": _reason("Anak di bawah 6 tahun", "Child under 6", "age_guardian", "serve_counter"),
    "MINOR_NEEDS_OFFICER": _reason(
        "Anak 6–17 tahun: perlu petugas", "Aged 6 to 17: an officer is needed", "age_guardian", "face_by_eye"
    ),
    "AGE_UNKNOWN": _reason("Usia tidak dapat dipastikan", "The age could not be settled", "age_guardian", "second_document"),
    # chip
    "CHIP_UNREADABLE": _reason("Cip tidak terbaca", "The chip could not be read", "read_again", "book_by_eye", "face_by_eye"),
    "CHIPLESS_BOOK": _reason("Paspor tanpa cip", "A passport without a chip", "book_by_eye", "face_by_eye"),
    "CHIP_NOT_EXPECTED": _reason(
        "Ada cip, padahal menurut penerbit tidak ada",
        "There is a chip, and by the issuer there is none",
        "keep_book",
        "issuer",
        "forensics",
    ),
    "CHIP_ACCESS_FAILED": _reason(
        "Cip menolak kunci dari MRZ", "The chip refused the key from the MRZ", "read_again", "book_by_eye"
    ),
    "CHIP_ACCESS_DOWNGRADED": _reason(
        "Cip menawarkan PACE tetapi hanya terbuka dengan BAC", "The chip offers PACE and opened with BAC only", "book_by_eye"
    ),
    "CARD_ACCESS_DIFFERS": _reason(
        "Penawaran PACE berbeda dari DG14 yang ditandatangani: mungkin dilemahkan",
        "The PACE offer differs from the signed DG14: it may have been weakened",
        "read_again",
        "chip_off",
        "book_by_eye",
        "face_by_eye",
    ),
    "CARD_ACCESS_UNSIGNED": _reason(
        "Penawaran PACE tidak tercakup tanda tangan", "The PACE offer is covered by no signature", "book_by_eye", "face_by_eye"
    ),
    "CHIP_CHANGED": _reason(
        "Cip lain menggantikan cip pertama saat dibaca",
        "Another chip took the place of the first while it was read",
        "keep_book",
        "second_document",
        "book_by_eye",
        "face_by_eye",
    ),
    "CHIP_LEFT_FIELD": _reason("Paspor terangkat saat dibaca", "The passport was lifted while it was read", "read_again"),
    "PA_SIGNATURE_OR_HASH_BAD": _reason(
        "Bukti elektronik gagal: tanda tangan atau hash data cip salah",
        "The electronic proof failed: signature or hash of the chip's data is wrong",
        "keep_book",
        "chip_off",
        "book_by_eye",
        "face_by_eye",
        "forensics",
    ),
    "PA_UNDETERMINED": _reason(
        "Autentikasi pasif tidak dapat diselesaikan",
        "Passive authentication could not be settled",
        "chip_off",
        "book_by_eye",
        "face_by_eye",
    ),
    "NO_TRUST_ANCHOR": _reason(
        "Negara penerbit tidak ada dalam daftar kepercayaan; bukan tanda pemalsuan",
        "The issuing State is in no trust store; this is no sign of forgery",
        "chip_off",
        "book_by_eye",
        "face_by_eye",
        "trust_store",
    ),
    "SIGNER_REVOKED": _reason(
        "Sertifikat penanda tangan dokumen dicabut",
        "The document signer's certificate is revoked",
        "keep_book",
        "book_by_eye",
        "issuer",
    ),
    "CRL_MISSING": _reason(
        "Daftar pencabutan Negara penerbit tidak tersedia",
        "No revocation list of the issuing State",
        "book_by_eye",
        "trust_store",
    ),
    "CRL_STALE": _reason(
        "Daftar pencabutan sudah lewat waktu", "The revocation list is out of date", "book_by_eye", "trust_store"
    ),
    "CHIP_NOT_GENUINE": _reason(
        "Cip tidak membuktikan kunci miliknya: mungkin salinan",
        "The chip did not prove its own key: it may be a copy",
        "keep_book",
        "chip_off",
        "book_by_eye",
        "face_by_eye",
        "forensics",
    ),
    "CHIP_AUTHENTICITY_NOT_SUPPORTED": _reason(
        "Cip tidak dapat membuktikan keasliannya", "The chip offers no proof of its own", "book_by_eye", "face_by_eye"
    ),
    "CHIP_AUTHENTICITY_UNDETERMINED": _reason(
        "Keaslian cip tidak dapat ditentukan", "The chip's authenticity could not be determined", "read_again", "book_by_eye"
    ),
    # registries
    "ISSUANCE_NOT_FOUND": _reason(
        "Paspor tidak ada dalam data penerbitan", "No issuance record of this passport", "issuer", "book_by_eye", "face_by_eye"
    ),
    "ISSUANCE_REVOKED": _reason("Paspor tercatat dibatalkan", "The passport is recorded as revoked", "keep_book", "issuer"),
    "ISSUANCE_LOST": _reason("Paspor tercatat hilang", "The passport is recorded as lost", "keep_book", "face_by_eye", "issuer"),
    "ISSUANCE_CLASS_MISMATCH": _reason(
        "Jenis paspor berbeda dari data penerbitan", "The class differs from the issuance record", "issuer", "book_by_eye"
    ),
    "ISSUANCE_UNAVAILABLE": _reason(
        "Data penerbitan tidak dapat dihubungi", "The issuance registry is unavailable", "issuer", "serve_counter"
    ),
    "EXIT_PERMIT_MISSING": _reason(
        "Izin keluar tidak ditemukan", "No exit permit found", "permit_paper", "permit_registry", "ordinary_book"
    ),
    "EXIT_PERMIT_EXPIRED": _reason(
        "Izin keluar sudah habis berlaku", "The exit permit has expired", "permit_paper", "permit_registry"
    ),
    "EXIT_PERMIT_MISMATCH": _reason(
        "Izin keluar tidak cocok (orang, paspor, tanggal, negara)",
        "The exit permit does not fit (person, book, date, country)",
        "permit_paper",
        "permit_registry",
    ),
    "EXIT_PERMIT_UNAVAILABLE": _reason(
        "Layanan izin keluar tidak dapat dihubungi", "The exit permit service is unavailable", "permit_paper", "permit_registry"
    ),
    "EXIT_PERMIT_USED": _reason(
        "Izin keluar sekali jalan sudah dipakai",
        "The exit permit is for one journey and was used",
        "permit_paper",
        "permit_registry",
    ),
    "ISSUANCE_REPLACED": _reason("Paspor sudah diganti", "The passport was replaced by another", "keep_book", "issuer"),
    "NO_BIOMETRIC_RECORD": _reason(
        "Biometrik pemegang belum terekam", "The holder's biometrics are not recorded", "issuer", "face_by_eye"
    ),
    "CONNECTED_ONE_UNAVAILABLE": _reason(
        "Connected One tidak dapat dihubungi", "Connected One is unavailable", "issuer", "serve_counter"
    ),
    "PORTRAIT_NOT_ISSUED": _reason(
        "Foto dalam cip bukan yang tercatat pada penerbit",
        "The portrait in the chip is not the one that the issuer recorded",
        "keep_book",
        "face_by_eye",
        "issuer",
        "forensics",
    ),
    "PENCEGAHAN_HIT": _reason(
        "Ada entri pada daftar Pencegahan", "There is an entry on the list of Pencegahan", "keep_book", "list_entry"
    ),
    "PENANGKALAN_HIT": _reason(
        "Ada entri pada daftar Penangkalan", "There is an entry on the list of Penangkalan", "keep_book", "list_entry"
    ),
    "WANTED_PERSON": _reason(
        "Ada entri pada daftar orang yang dicari", "There is an entry on the list of wanted persons", "keep_book", "list_entry"
    ),
    "LOST_OR_STOLEN": _reason(
        "Dokumen tercatat hilang atau dicuri", "The document is listed as lost or stolen", "keep_book", "face_by_eye", "issuer"
    ),
    "LOST_AND_STOLEN_UNAVAILABLE": _reason(
        "Daftar dokumen hilang dan dicuri tidak dapat dihubungi",
        "The list of lost and stolen documents is unavailable",
        "ask_list",
        "serve_counter",
    ),
    "CITIZEN_ON_PENANGKALAN": _reason(
        "WNI dalam daftar Penangkalan: boleh masuk",
        "A citizen on the list of Penangkalan: comes in",
        "citizen_returns",
        "list_entry",
    ),
    "CITIZEN_PERHAPS_ON_PENANGKALAN": _reason(
        "WNI, mungkin senama dengan entri Penangkalan: boleh masuk",
        "A citizen, possibly a namesake on the list of Penangkalan: comes in",
        "citizen_returns",
        "namesake",
    ),
    "PENANGKALAN_NOT_ASKED": _reason(
        "WNI masuk tanpa jawaban daftar Penangkalan", "A citizen comes in while the list is silent", "citizen_returns", "ask_list"
    ),
    "NO_ELECTRONIC_PERMIT": _reason(
        "Tidak ada visa atau izin tinggal elektronik", "No electronic visa or stay permit", "visa", "serve_counter"
    ),
    "ABTC_HOLDER": _reason("Pemegang ABTC", "An ABTC holder", "visa", "serve_counter"),
    "OVERSTAY": _reason("Melewati izin tinggal", "The permitted stay is over", "visa", "serve_counter"),
    "NO_REENTRY_PERMIT": _reason("Tanpa izin masuk kembali", "No leave to come back", "visa", "serve_counter"),
    "STAY_PERMIT_UNAVAILABLE": _reason(
        "Data izin tinggal tidak dapat dihubungi", "The registry of stay permits is unavailable", "visa", "serve_counter"
    ),
    "DECLARATION_MISSING": _reason(
        "Belum ada deklarasi All Indonesia", "There is no All Indonesia declaration", "declaration", "serve_counter"
    ),
    "DECLARATION_UNAVAILABLE": _reason(
        "Data deklarasi tidak dapat dihubungi", "The registry of declarations is unavailable", "declaration", "serve_counter"
    ),
    "SNAPSHOT_TOO_OLD": _reason(
        "Salinan data registri sudah terlalu lama", "The copy of a registry's data is too old", "ask_list", "serve_counter"
    ),
    "WATCHLIST_POSSIBLE": _reason(
        "Mungkin senama dengan entri daftar", "Possibly a namesake of a listed person", "list_entry", "namesake"
    ),
    "WATCHLIST_UNAVAILABLE": _reason(
        "Daftar pencegahan / penangkalan tidak dapat dihubungi", "The travel ban list is unavailable", "ask_list", "serve_counter"
    ),
    # face and passage
    "FACE_NO_MATCH": _reason(
        "Wajah tidak cocok dengan foto dalam cip", "The face does not match the chip's picture", "face_by_eye", "second_document"
    ),
    "FACE_POOR_QUALITY": _reason(
        "Gambar wajah kurang baik", "The picture of the face was not good enough", "face_clear", "face_by_eye"
    ),
    "NO_REFERENCE_IMAGE": _reason(
        "Tidak ada foto acuan untuk dibandingkan", "No reference image to compare with", "face_by_eye", "issuer"
    ),
    "NO_PROBE": _reason(
        "Kamera tidak mendapat gambar wajah", "The camera got no picture of a face", "look_inside", "face_clear", "face_by_eye"
    ),
    "PRESENTATION_ATTACK": _reason(
        "Alarm serangan presentasi", "Alarm of the presentation attack detection", "look_inside", "face_by_eye", "second_document"
    ),
    "PAD_NOT_AVAILABLE": _reason(
        "Deteksi serangan presentasi tidak tersedia", "Presentation attack detection is not available", "face_by_eye"
    ),
    "MORE_THAN_ONE_PERSON": _reason(
        "Lebih dari satu orang di ruang gerbang", "More than one person in the passage", "one_by_one", "look_inside"
    ),
    "OCCUPANCY_UNCERTAIN": _reason("Jumlah orang tidak pasti", "The number of persons is uncertain", "look_inside", "one_by_one"),
    "NOBODY_INSIDE": _reason("Tidak ada orang di ruang gerbang", "Nobody in the passage", "look_inside", "serve_counter"),
    # gate
    "DEVICE_LOST": _reason(
        "Perangkat gerbang terputus", "A device of the gate was lost", "look_inside", "serve_counter", "technician"
    ),
    "CONTROLLER_FAULT": _reason("Gangguan pengendali gerbang", "Fault of the gate controller", "look_inside", "technician"),
    "EMERGENCY": _reason(
        "Keadaan darurat: kebakaran atau tombol darurat", "Emergency: fire or emergency button", "evacuate", "look_inside"
    ),
    "NO_SUPERVISION": _reason("Tidak ada pengawasan petugas", "No officer supervises the lane", "take_over"),
    "CLOCK_DOUBTFUL": _reason("Jam gerbang meragukan", "The gate's clock is doubtful", "serve_counter", "clock"),
    "REQUIREMENT_UNMET": _reason(
        "Syarat untuk membuka tidak lengkap", "Not everything that opening needs was met", "see_unmet", "serve_counter"
    ),
    "PERMIT_VOIDED": _reason(
        "Izin tidak terpakai", "The permit came to nothing: nobody went through", "see_unmet", "serve_counter"
    ),
    "NO_DECISION": _reason("Transaksi berakhir tanpa keputusan", "The transaction ended without a decision", "serve_counter"),
}

UNKNOWN = _reason("Alasan tanpa penjelasan", "A reason without an explanation", "see_unmet", "serve_counter")
"""For a code that this table does not know; the page shows the code beside it."""


def reason(code: str) -> Reason:
    return REASONS.get(code, UNKNOWN)
