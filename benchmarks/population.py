"""People who do not exist, with names as Indonesians bear them; and how lists write such people down.

Everything here is an assumption of this project, stated so that it can be replaced: shares of peoples and of names that are one word, how
common a part of a name is (the n-th of a row of parts as 1 / (n + 6)), birth dates, and how often a list errs in which way. Parts are
common public ones, put together by chance; Javanese and Sundanese names are built of beginnings and endings, as many really are, and
one in six people bears a coined name, so that there are thousands, many alike. No list of people was used.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Literal

from gate.registries.names import ListedPerson, ListName, PersonQuery

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
"""The moment of every question; all entries are in force then."""
URGENT_SHARE = 0.01
BORN_FIRST, BORN_DAYS = date(1946, 1, 1), 60 * 365
SPECIAL_DAYS = ((1, 1), (12, 31), (7, 1))
SPECIAL_SHARE = 0.02
"""Of people whose birthday was filled in by an office."""


class Row:
    """Parts of names, the common ones first."""

    def __init__(self, text: str) -> None:
        self.parts = text.split()
        self._weights = list(accumulate(1 / (rank + 6) for rank in range(len(self.parts))))

    def pick(self, dice: random.Random) -> str:
        return dice.choices(self.parts, cum_weights=self._weights)[0]


JAVA_FIRST = Row(
    "SU SRI WA PUR HAR SLA MUL SUPRI SUGI SUMAR PRA WIR DAR SUPAR SAR KAR MUR SUT NGA TU WI PAR SAN JUMA KUS TRI RUS MAR LAS SETIA"
)
JAVA_M_END = Row(
    "YANTO NARNO TRISNO ONO HARTO YADI NARDI DODO JITO TONO WANTO MIN DIYONO PONO RIYANTO NGGONO MADI JONO SWANTO GIYO MANTO TARJO"
)
JAVA_F_END = Row(
    "YATI MIYATI NINGSIH WARTI NARTI YANTI TINI NARSIH YEM MINAH RTINI LASTRI NGATI MARNI SIYAH RIYANI TRIYANI DARMI"
)
JAVA_M = Row("AGUS BUDI EKO JOKO BAMBANG TRI DWI ADI WAHYU SLAMET HERI DIDIK TEGUH SIGIT ARIF BAYU YOGA GALIH ANDI RUDI IMAM")
JAVA_F = Row("SRI DEWI ENDANG TRI DWI EKA RINI RATNA TUTI WAHYU YUNI INDAH RETNO AYU NUR LESTARI PUJI SITI ANIK")
JAVA_LAST_M = Row(
    "SANTOSO SETIAWAN WIDODO NUGROHO PRASETYO UTOMO KURNIAWAN WIBOWO PURNOMO HARTONO SAPUTRA SUSANTO SUSILO CAHYONO RAHARJO HANDOKO "
    "PAMUNGKAS KUNCORO YULIANTO HARIYADI SUDARSONO PRATAMA WICAKSONO SETYAWAN HIDAYAT SUDRAJAT"
)
JAVA_LAST_F = Row(
    "LESTARI RAHAYU WATI NINGSIH WULANDARI HANDAYANI SARI ASTUTI UTAMI PUSPITASARI KUSUMAWATI WAHYUNI SETYOWATI INDRIANI PERTIWI MAHARANI "
    "ANGGRAINI HAPSARI PUTRI SUSANTI RAHMAWATI"
)
SUNDA_M = Row(
    "ASEP DEDI UJANG CECEP DADANG ENDANG IWAN AGUS YAYAT ENTIS ADE DUDUNG JAJANG NANDANG DADAN TATANG AEP OTONG USEP ENCEP KOSWARA"
)
SUNDA_F = Row("NENENG EUIS IIS IMAS TETI YETI ENTIN ROHAETI CUCU ELIS NANI LILIS IDA KOKOM AAN TITIN IKEU WIWIN")
SUNDA_LAST = Row(
    "SUPRIATNA HIDAYAT PERMANA KURNIA MULYANA GUNAWAN SUHERMAN RUHIYAT SUTISNA SURYANA NURJAMAN SETIANA HERYANA RUSTANDI KOMARUDIN SOPIAN"
)
ARAB_M = Row(
    "MUHAMMAD AHMAD ABDUL ALI HASAN YUSUF IBRAHIM UMAR RIZKI FAUZI TAUFIK RIDWAN ZAINAL SYAIFUL KHAIRUL MAULANA HUSEIN ISMAIL USMAN ARIF "
    "FAISAL SALEH HAMZAH IQBAL AKBAR FAJAR RAMADHAN IKHSAN FIKRI IRFAN LUTFI ANWAR BAHRUL MUKHTAR"
)
ARAB_LAST_M = Row(
    "RAHMAN HIDAYAT AZIZ MAULANA ALI HAKIM KARIM HALIM RAMADHAN HAMID FIRMANSYAH SYAHPUTRA HASAN RAHIM MALIK WAHID LATIF FADILLAH ARIFIN "
    "SYARIFUDDIN KAMALUDDIN NASRUDDIN JAMALUDDIN BAHARUDDIN SYAMSUDDIN SALAHUDDIN BURHANUDDIN FAKHRUDDIN ZAINUDDIN HASANUDDIN QADIR JABBAR"
)
ARAB_F = Row(
    "SITI NUR FATIMAH AISYAH NURUL KHADIJAH UMI MARYAM ZAHRA HALIMAH ROHANI LAILA FARIDA KHUSNUL SALMA RAHMAH ZAINAB NABILA"
)
ARAB_LAST_F = Row(
    "AISYAH AMINAH HASANAH JANNAH HAYATI RAHMAWATI HIDAYATI FADILAH KHOTIMAH ZULAIKHA MAESAROH NURJANAH SOLEHAH AZIZAH LATIFAH MARDIYAH "
    "SALAMAH ROHMAH MUNAWAROH RAHMADANI"
)
BATAK_M = Row("JHON ROBERT PARLINDUNGAN TOGAR SAUT HOTMAN MANGASI RUDOLF BONAR TIGOR PAHALA BINSAR DANIEL MARULI RAMOT HASIHOLAN")
BATAK_F = Row("TIUR ROTUA MARIA LAMTIUR ROSDIANA NURMALA MERY DAME HOTNIDA RUSMINI TIOMINA LINDA")
BATAK_LAST = Row(
    "SIREGAR NASUTION HARAHAP SITUMORANG SIMANJUNTAK SINAGA LUBIS PANJAITAN HUTAPEA SIMBOLON MANURUNG SIHOMBING PURBA SARAGIH TAMPUBOLON "
    "SITOMPUL NAINGGOLAN SIAHAAN PASARIBU BATUBARA TARIGAN GINTING SEMBIRING"
)
BALI_ORDER = Row("WAYAN MADE NYOMAN KETUT PUTU KADEK KOMANG GEDE NENGAH LUH")
BALI_LAST = Row(
    "SUDIRA ARTAWAN SUARDANA WIDIANA SUKADANA ARIANTINI SUASTIKA DARMA SUARTINI ARDANA WIRAWAN SUTAMA ASTAWA PARWATA SUDIARTA SUKRENI MERTA DEWI"
)
MINANG_M = Row("ZULKIFLI YULIZAR AFRIZAL SYAFRIL ERIZAL ZAINAL RUSDI BUSTAMI YUSRIZAL ISKANDAR HENDRI RIDWAN ARMEN ASRIL")
MINANG_F = Row("YULIARNI ELIZAR NURBAITI ERNAWATI YUSNIAR ROSNIATI DESMAWATI ASNIMAR GUSMAWATI WIRDA")
MINANG_LAST = Row("CHANIAGO PILIANG KOTO TANJUNG SIKUMBANG JAMBAK GUCI MALIK PUTRA EFENDI SYAHRIAL YULIA")
BUGIS_M = Row("ANDI MUHAMMAD BASO AMBO LA ABDUL SYAMSUL AMIRUDDIN BASRI TAKDIR ARSYAD SUKARDI HAERUDDIN ILHAM DAENG")
BUGIS_F = Row("ANDI SITTI HASNAH BESSE NURHAYATI HALIJAH RAHMATIA MARDIANA WA ASTUTI HARTATI SURIANI")
BUGIS_LAST = Row("TENRI PATTA MAPPANYUKKI SYAMSUDDIN DAENG PASOLONG BASO MANGGA RAJA LATIF ARIFIN HAMZAH AMIN TAHIR YUSUF")
CHINA_FIRST = Row(
    "HENDRA JOHAN ANDY LINA MELLY RUDY SUSAN TONY FELICIA KEVIN STEVEN YULIANA HERMAN VIVIAN DAVID JESSICA ERIC CHANDRA"
)
CHINA_LAST = Row(
    "TAN LIM WIJAYA HALIM GUNAWAN SALIM TJHIN KUSUMA LIEM SANTOSO CHANDRA HARTONO OEI TJIA NJOO KWEE GOH ONG LAUW WIRYANTO SUTANTO"
)
EAST_M = Row("YOHANES ANTONIUS STEFANUS PETRUS MARKUS YOSEF PAULUS DANIEL FRANSISKUS MARTINUS YAKOBUS THOMAS AGUSTINUS MIKAEL")
EAST_F = Row("MARIA YULIANA KRISTINA THERESIA MARTHA ELISABETH MARGARETHA AGNES ANASTASIA YOHANA VERONIKA")
EAST_LAST = Row(
    "RUMBIAK LATUMAHINA NAIBAHO WENDA TUHUMURY PATTIWAEL BEREK NGONGO SERAN MANDACAN LENGKONG TUMBELAKA MANUPUTTY LEWIER KAMBU TABUNI NENOHAI"
)

SUNDA_BEGIN = Row("SUPRI HERI RUS SU MUL NUR KUR WI SAE KAR AN PER DAR YU TAR SOLI")
SUNDA_END = Row("ATNA YANA DIANA TANDI HERMAN MANA JAMAN TISNA WANGSA LANA DIKARTA FULLAH GANDA SAPUTRA NATA")
SYLLABLES = Row("RA NI DI KA LA RI VI SA NA ZA FI LI MA DE TA RE KI FA LIA NDA YA DO RO VA NO AL BRI QUE SHA REY KEN")
COINED_SHARE = 1 / 6

Sex = Literal["M", "F"]
Maker = Callable[[random.Random, Sex], list[str]]


def _java_word(dice: random.Random, sex: Sex) -> str:
    return JAVA_FIRST.pick(dice) + (JAVA_M_END if sex == "M" else JAVA_F_END).pick(dice)


def _javanese(dice: random.Random, sex: Sex) -> list[str]:
    """One word in 22 of 100, else two or three."""
    if dice.random() < 0.22:
        return [_java_word(dice, sex)]
    first, last = (JAVA_M, JAVA_LAST_M) if sex == "M" else (JAVA_F, JAVA_LAST_F)
    words = [first.pick(dice) if dice.random() < 0.7 else _java_word(dice, sex), last.pick(dice)]
    return [first.pick(dice), *words] if dice.random() < 0.25 else words


def _sundanese(dice: random.Random, sex: Sex) -> list[str]:
    first = (SUNDA_M if sex == "M" else SUNDA_F).pick(dice)
    if dice.random() < 0.15:
        return [first]
    return [first, SUNDA_LAST.pick(dice) if dice.random() < 0.5 else SUNDA_BEGIN.pick(dice) + SUNDA_END.pick(dice)]


def _arabic(dice: random.Random, sex: Sex) -> list[str]:
    first, last = (ARAB_M, ARAB_LAST_M) if sex == "M" else (ARAB_F, ARAB_LAST_F)
    words = [first.pick(dice), last.pick(dice)]
    if dice.random() < 0.05:
        return words[:1]
    return [words[0], first.pick(dice), words[1]] if dice.random() < 0.35 else words


def _of(men: Row, women: Row, last: Row, middle: float = 0.2) -> Maker:
    def maker(dice: random.Random, sex: Sex) -> list[str]:
        first = men if sex == "M" else women
        words = [first.pick(dice), last.pick(dice)]
        return [words[0], first.pick(dice), words[1]] if dice.random() < middle else words

    return maker


def _balinese(dice: random.Random, sex: Sex) -> list[str]:
    return ["I" if sex == "M" else "NI", BALI_ORDER.pick(dice), BALI_LAST.pick(dice)]


PEOPLES: tuple[tuple[float, Maker], ...] = (
    (0.40, _javanese),
    (0.15, _sundanese),
    (0.20, _arabic),
    (0.05, _of(BATAK_M, BATAK_F, BATAK_LAST)),
    (0.03, _balinese),
    (0.04, _of(MINANG_M, MINANG_F, MINANG_LAST)),
    (0.05, _of(BUGIS_M, BUGIS_F, BUGIS_LAST)),
    (0.04, _of(CHINA_FIRST, CHINA_FIRST, CHINA_LAST)),
    (0.04, _of(EAST_M, EAST_F, EAST_LAST, 0.4)),
)
_MAKERS = [maker for _, maker in PEOPLES]
_SHARES = list(accumulate(share for share, _ in PEOPLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """As in the passport."""

    words: tuple[str, ...]
    born: date
    sex: Sex

    def query(self) -> PersonQuery:
        """What the zone of the passport says: the last word is primary; no room for more than 39 characters, fillers included."""
        primary, secondary = self.words[-1], " ".join(self.words[:-1])
        return PersonQuery(
            primary_identifier=primary,
            secondary_identifier=secondary[: max(0, 37 - len(primary))].rstrip(),
            birth=f"{self.born:%y%m%d}",
            sex=self.sex,
        )


def person(dice: random.Random) -> Person:
    """Anybody."""
    sex: Sex = "M" if dice.random() < 0.5 else "F"
    words = dice.choices(_MAKERS, cum_weights=_SHARES)[0](dice, sex)
    if dice.random() < COINED_SHARE:
        words[-1 if len(words) > 1 else 0] = "".join(SYLLABLES.pick(dice) for _ in range(dice.choice((2, 3, 3))))
    born = BORN_FIRST + timedelta(days=dice.randrange(BORN_DAYS))
    if dice.random() < SPECIAL_SHARE:
        month, day = dice.choice(SPECIAL_DAYS)
        born = born.replace(month=month, day=day)
    return Person(words=tuple(words), born=born, sex=sex)


# --- how lists err ---------------------------------------------------------------------------------------------------------------

VARIANTS: tuple[tuple[str, str], ...] = (
    ("U", "OE"), ("J", "DJ"), ("C", "TJ"), ("Y", "J"), ("SY", "SJ"), ("KH", "CH"), ("F", "P"), ("F", "V"), ("Z", "S"), ("I", "IE"),
    ("AI", "AE"), ("K", "Q"), ("SY", "S"), ("KH", "H"), ("TI", "TY"), ("DI", "DY"), ("RI", "RY"), ("D", "DH"), ("T", "TH"), ("S", "SS"), ("N", "NN"),
    ("M", "MM"), ("L", "LL"), ("AH", "A"), ("A", "O"), ("O", "A"), ("I", "E"),
)  # fmt: skip
"""Some are in the matcher's table of spellings, some (F and P, A and O) are not."""
FAMILIES: dict[str, tuple[str, ...]] = {
    "MUHAMMAD": ("MOHAMMAD", "MOHAMAD", "MUHAMAD", "MOCHAMAD", "MOHD", "MOH", "MUH", "MOCH", "M", "MOHAMED"),
    "AHMAD": ("ACHMAD", "AKHMAD", "AHMED", "ACHMED"),
    "ABDUL": ("ABD", "ABDOEL", "ABDEL"),
    "ALI": ("ALY", "ALIE", "ALLI"),
    "SITI": ("ST", "SITTI", "SITIE"),
    "USMAN": ("OSMAN", "OESMAN", "UTSMAN"),
    "HUSEIN": ("HUSAIN", "HOESEIN", "HUSEN"),
    "ZAINAL": ("ZAENAL", "JAENAL", "DJAENAL"),
}
TITLES = ("H.", "HJ.", "DRS.", "DR.", "IR.", "R.", "KH.")

NameSlip = Literal["clean", "spelling", "family", "typing error", "swapped", "word missing", "initial", "joined", "title"]
NAME_SLIPS: dict[NameSlip, float] = {
    "clean": 0.58, "spelling": 0.12, "family": 0.08, "typing error": 0.05, "swapped": 0.05, "word missing": 0.04, "initial": 0.03, "joined": 0.02, "title": 0.03
}  # fmt: skip
BirthSlip = Literal["equal", "no day", "year alone", "age alone", "swapped", "other day", "other month", "next year"]
BIRTH_SLIPS: dict[BirthSlip, float] = {
    "equal": 0.76, "no day": 0.08, "year alone": 0.03, "age alone": 0.05, "swapped": 0.02, "other day": 0.02, "other month": 0.01, "next year": 0.03
}  # fmt: skip
URGENT_BIRTH_SLIPS: dict[BirthSlip, float] = {"equal": 0.6, "no day": 0.1, "year alone": 0.05, "age alone": 0.25}
"""An entry that was made in a hurry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A person, and how they stand on a list."""

    person: Person
    entry: ListedPerson
    name_slip: NameSlip
    birth_slip: BirthSlip


def listing(dice: random.Random, name: ListName = "pencegahan", *, slip: str = "") -> Listing:
    """Somebody who is on the list ``name``, written down as badly as the shares above say, or with this ``slip`` alone."""
    real = person(dice)
    urgent = dice.random() < URGENT_SHARE
    name_slip, birth_slip = _slips(dice, urgent=urgent, alone=slip)
    words, name_slip = written(real.words, name_slip, dice)
    birth, age, birth_slip = dated(real.born, birth_slip, dice)
    begun = NOW - timedelta(days=dice.randrange(1, 19 if urgent else 180), seconds=dice.randrange(86_400))
    entry = ListedPerson(
        list=name,
        primary_identifier=" ".join(words),
        birth=birth,
        age=age,
        sex=real.sex,
        valid_from=begun,
        valid_to=begun + timedelta(days=20 if urgent else 183),
        urgent=urgent,
    )
    return Listing(person=real, entry=entry, name_slip=name_slip, birth_slip=birth_slip)


def _slips(dice: random.Random, *, urgent: bool, alone: str) -> tuple[NameSlip, BirthSlip]:
    births = URGENT_BIRTH_SLIPS if urgent else BIRTH_SLIPS
    drawn = dice.choices([*NAME_SLIPS], [*NAME_SLIPS.values()])[0], dice.choices([*births], [*births.values()])[0]
    if not alone:
        return drawn
    return next((each for each in NAME_SLIPS if each == alone), "clean"), next(
        (each for each in BIRTH_SLIPS if each == alone), "equal"
    )


def listings(seed: int, count: int) -> Iterator[Listing]:
    """The first ``count`` of a list."""
    dice = random.Random(f"listed {seed}")
    return (listing(dice) for _ in range(count))


def travellers(seed: int, count: int) -> Iterator[Person]:
    """People who are on no list."""
    dice = random.Random(f"travellers {seed}")
    return (person(dice) for _ in range(count))


def written(words: Sequence[str], error: NameSlip, dice: random.Random) -> tuple[list[str], NameSlip]:
    """A name with one error of this kind; ``clean`` where the name gives no occasion for it."""
    spelled = list(words)
    at = dice.randrange(len(spelled))
    match error:
        case "spelling":
            spelled[at] = _respelled(spelled[at], dice)
        case "family":
            spelled = [dice.choice(FAMILIES[word]) if word in FAMILIES else word for word in spelled]
        case "typing error":
            spelled[at] = mistyped(spelled[at], dice)
        case "swapped":
            spelled = spelled[1:] + spelled[:1]
        case "word missing" if len(spelled) > 1:
            del spelled[at]
        case "initial" if len(spelled) > 1:
            spelled[at] = spelled[at][0]
        case "joined" if len(spelled) > 1:
            spelled[-2:] = [spelled[-2] + spelled[-1]]
        case "title":
            spelled.insert(0, dice.choice(TITLES))
        case _:
            pass
    return spelled, error if spelled != list(words) else "clean"


def _respelled(word: str, dice: random.Random) -> str:
    fitting = [variant for variant in VARIANTS if variant[0] in word]
    return word.replace(*dice.choice(fitting), 1) if fitting else word


def mistyped(word: str, dice: random.Random) -> str:
    """A letter is left out, or another one, or two change places."""
    at = dice.randrange(len(word))
    match dice.randrange(3):
        case 0 if len(word) > 3:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[:at] + dice.choice("AEIOUNRSTKLM") + word[at + 1 :]
        case _:
            return word[:at] + word[at : at + 2][::-1] + word[at + 2 :]


def dated(born: date, error: BirthSlip, dice: random.Random) -> tuple[str, int | None, BirthSlip]:
    """A date of birth or an age with one error of this kind; ``equal`` where the date gives no occasion for it."""
    noted, age = f"{born:%y%m%d}", None
    match error:
        case "no day":
            noted = noted[:4] + "<<"
        case "year alone":
            noted = noted[:2] + "<<<<"
        case "age alone":
            noted, age = (
                "<<<<<<",
                NOW.year - born.year - ((born.month, born.day) > (NOW.month, NOW.day)) + dice.choice((-1, 0, 0, 0, 1)),
            )
        case "swapped" if born.day <= 12:
            noted = f"{born:%y%d%m}"
        case "other day":
            noted = f"{born:%y%m}{dice.randint(1, 28):02d}"
        case "other month":
            noted = f"{born:%y}{dice.randint(1, 12):02d}{born:%d}"
        case "next year":
            noted = f"{(born.year + dice.choice((-1, 1))) % 100:02d}{born:%m%d}"
        case _:
            pass
    return noted, age, error if noted != f"{born:%y%m%d}" else "equal"


def name_class(words: Sequence[str]) -> str:
    """For reports: the families that namesakes are known for, then by the number of words."""
    if {"MUHAMMAD", "ALI"} & {*words}:
        return "Muhammad, Ali"
    counted = len([word for word in words if word not in {"I", "NI"}])
    return ("one word", "two words", "three and more")[min(counted, 3) - 1]
