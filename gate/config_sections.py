"""What stands in the configuration of a gate: names, types, bounds and defaults, here and nowhere else. ``gate.config`` reads the file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gate.evidence import Direction
from gate.profiles import PROFILES, REGISTRIES

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", description="1 to 32 letters, digits, dots, hyphens")]
Checkpoint = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="the three letters of a checkpoint")]
Address = Annotated[str, Meta(pattern=r"^[^\x00-\x1f]{1,255}$", description="an address of 1 to 255 characters")]
Url = Annotated[
    str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+(/[!-~]*)?$", description="an http or https address without password")
]
FleetUrl = Annotated[
    str,
    Meta(
        pattern=r"^(tls|nats)://[A-Za-z0-9.\-\[\]:]+$", description="the address of a broker, as tls://HOST:PORT without password"
    ),
]
Signer = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}:[0-9a-f]{64}$",
        description='"NAME:KEY" with the public key in hexadecimal, as "autogate trust keygen" prints it',
    ),
]
Signature = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}$", description="128 hexadecimal digits")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")]
VerifierKey = Annotated[
    str,
    Meta(pattern=r"^[^\s+]{1,128}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$", description="a key as autogate audit keygen prints it"),
]
Words = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,120}$", description="1 to 120 characters")]
Pixels = Annotated[int, Meta(ge=160, le=8192)]
Milliseconds = Annotated[int, Meta(ge=50, le=10_000)]
Port = Annotated[int, Meta(ge=1024, le=65_535)]
Baud = Literal[9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the file's sections."""


class Lane(Section, frozen=True, kw_only=True):
    id: Name
    checkpoint: Checkpoint
    direction: Direction
    kind: Literal["mantrap", "single_door"] = "mantrap"


class Timeouts(Section, frozen=True, kw_only=True):
    """Seconds that a state of the lane may last; ``registry_ms`` is what a decision waits for registries."""

    document_s: Annotated[float, Meta(ge=1, le=120)] = 20.0
    entry_s: Annotated[float, Meta(ge=1, le=120)] = 15.0
    walk_in_s: Annotated[float, Meta(ge=1, le=120)] = 15.0
    capture_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    exit_s: Annotated[float, Meta(ge=1, le=120)] = 15.0
    await_officer_s: Annotated[float, Meta(ge=1, le=600)] = 30.0
    registry_ms: Milliseconds = 800


class Scanner(Section, frozen=True, kw_only=True):
    """What reads the page. ``mrz``: whether we read the machine readable zone from its pictures, or it reads the zone itself.

    ``serial`` is a reader of zones at the serial device ``address``, which speaks as ``profile`` says (``hardware.mrz_serial``).
    """

    kind: Literal["simulator", "serial"]
    address: Address
    profile: Literal["rte", "rte_unchecked", "elyctis", "elyctis_polled", "honeywell", "framed", "lines"] | None = None
    mrz: Literal["images", "device"] = "images"
    infrared: bool = True
    """Whether its pictures come in near-infrared light as well. Where they do, a zone that does not show in it is a finding."""


class Chip(Section, frozen=True, kw_only=True):
    """What reads the chip: the scanner itself, or a PC/SC reader by its name (``autogate chip readers``)."""

    link: Literal["scanner", "pcsc"] = "scanner"
    reader: Address | None = None
    tolerate: tuple[Literal["bac_where_pace_failed"], ...] = ()
    """Ways of reading a chip that are used only where named here; a grant lets their result pass only where it names them, too."""


class Camera(Section, frozen=True, kw_only=True):
    """``opencv``: a video device, by its name below /dev/v4l/by-id, or in demonstrations a recording (``hardware.camera``)."""

    kind: Literal["simulator", "opencv"]
    address: Address
    width: Pixels | None = None
    height: Pixels | None = None
    fps: Annotated[int, Meta(ge=5, le=120)] | None = None
    """What a device is asked for; what is left out it chooses by itself."""


class LinkWaiver(Section, frozen=True, kw_only=True):
    """Who lets doors be ordered about over a link that proves nothing, why, and until when: ``autogate lane waive`` writes it."""

    granted_by: Name
    """Of those who sign for the trust store: ``signature`` is made with that person's key."""
    reason: Words
    until: date
    signature: Signature

    def ended(self, today: date) -> str:
        """That its last day is over, in words; empty before."""
        return f"the waiver of {self.granted_by} ended on {self.until}" if today > self.until else ""


class Controller(Section, frozen=True, kw_only=True):
    device: Address
    """Path of the serial device; a stable one, below /dev/serial/by-id."""
    baud: Baud = 115200
    key_file: Path | None = None
    link: Literal["gate-link", "modbus"] = "gate-link"
    unit: Annotated[int, Meta(ge=1, le=247)] = 1
    """Its address on Modbus."""
    waiver: LinkWaiver | None = None


class Panel(Section, frozen=True, kw_only=True):
    """Lamp, buzzer and inputs beside the scanner. ``osdp``: at the serial device ``port``, under its own key (``hardware.osdp``)."""

    kind: Literal["none", "simulator", "osdp"] = "none"
    port: Address | None = None
    baud: Baud = 115200
    address: Annotated[int, Meta(ge=0, le=126)] = 0
    key_file: Path | None = None
    assistance_input: Annotated[int, Meta(ge=0, le=31)] = 0
    """Which of its inputs the button is by which travellers call for help."""


class Waiver(Section, frozen=True, kw_only=True):
    """Who lets weights run whose licence permits research alone, in which pack, why, and until when; every record names it."""

    pack_sha256: Sha256
    granted_by: Words
    reason: Words
    until: date


class Face(Section, frozen=True, kw_only=True):
    pack: Name
    pack_sha256: Sha256 | None = None
    """What ``autogate models check`` prints for the pack that was approved: another one under its name does not start."""
    packs_dir: Path
    backend: Literal["onnxruntime", "insightface"] = "onnxruntime"
    waiver: Waiver | None = None


class Trust(Section, frozen=True, kw_only=True):
    """Whose keys the gate takes for the people who decide whom it believes; demonstrations need none."""

    store: Path
    signers: tuple[Signer, ...] = ()
    deviations: Path | None = None
    """A folder of deviation lists (Doc 9303-12 §10), each signed by its State; none: no defect is known."""


class Registry(Section, frozen=True, kw_only=True):
    url: Url
    key: Path
    """The registry's public key (Ed25519, PEM): what it did not sign counts for nothing."""
    deadline_ms: Milliseconds = 800


class RegistryTls(Section, frozen=True, kw_only=True):
    """Both ends prove themselves (PEM): ``ca`` is whose certificates registries show, ``certificate`` and ``key`` are the gate's own."""

    ca: Path
    certificate: Path
    key: Path


class Snapshots(Section, frozen=True, kw_only=True):
    """The registries' data for a day without network, sealed under the key in ``key_file`` (64 hexadecimal digits)."""

    folder: Path
    key_file: Path


class Registries(Section, frozen=True, kw_only=True):
    """A registry that is not configured is never asked, and what it would have said is ``not_performed``."""

    tls: RegistryTls | None = None
    snapshots: Snapshots | None = None
    connected_one: Registry | None = None
    issuance: Registry | None = None
    exit_permit: Registry | None = None
    watchlist: Registry | None = None
    lost_and_stolen: Registry | None = None
    stay_permit: Registry | None = None
    arrival_declaration: Registry | None = None
    crossing: Registry | None = None

    @property
    def named(self) -> dict[str, Registry]:
        """The registries that are configured, by name."""
        sections = {name: getattr(self, name) for name in REGISTRIES}
        return {name: section for name, section in sections.items() if section is not None}


class Rules(Section, frozen=True, kw_only=True):
    """Demonstrations alone go by ``folder``, which nobody signed for, or by the rules that come with the software."""

    folder: Path | None = None
    store: Path | None = None
    """A folder of versions that ``autogate policy import`` made; which one judges from when is signed by two of ``signers``."""
    signers: tuple[Signer, ...] = ()


class Screens(Section, frozen=True, kw_only=True):
    """Both pages, on loopback, and what the traveller's offers (docs/traveller-screen.md)."""

    traveller_port: Port = 8410
    officer_port: Port = 8411
    touch: bool = True
    """Whether it can be touched: then buttons lie at its bottom."""
    longer_times: Annotated[float, Meta(ge=1, le=3)] = 2.0
    """By how much the lane waits longer for a traveller who asks for more time; 1: nobody can ask."""
    prompts: Literal["off", "tones", "spoken"] = "off"
    """What is heard beside what is seen; ``spoken`` where the browser has voices of its own for both languages."""


class Health(Section, frozen=True, kw_only=True):
    port: Port | None = None
    """Where, on loopback, ``/healthz``, ``/readyz`` and ``/metrics`` are answered; None: nowhere."""


class Console(Section, frozen=True, kw_only=True):
    """Officers' orders. A lane that names a ``roster`` takes them from whom two of ``signers`` put on it, signed on the page at ``origin``."""

    port: Port | None = None
    """Where this gate runs a console, on loopback; None: it runs none, and may be watched from another's."""
    origin: Annotated[str, Meta(pattern=r"^https?://localhost:[0-9]{1,5}$", description='as "http://localhost:8413"')] | None = (
        None
    )
    """Of the page that officers sign on; by default this gate's own."""
    roster: Path | None = None
    """A folder of versions that ``autogate officers import`` made."""
    signers: tuple[Signer, ...] = ()
    lanes: tuple[Path, ...] = ()
    """State folders of further lanes on this machine that this gate's console shows."""
    supervision: Literal["officers", "page"] | None = None
    """What counts as supervision: officers who signed in, or that the officer page's process runs. Where it is left out: the page in
    demonstrations, officers elsewhere.
    """
    watch_s: Annotated[float, Meta(ge=60, le=7200)] = 1800.0
    """How long an officer who signed nothing more counts as being there."""
    pictures: bool = True
    """Whether officers may look at the chip's portrait and the live picture of whoever waits for them."""

    @property
    def page_origin(self) -> str:
        return self.origin or f"http://localhost:{self.port}"

    @property
    def shows_pictures(self) -> bool:
        """Whether a process runs that shows them: only where officers are known."""
        return self.pictures and self.roster is not None


class Audit(Section, frozen=True, kw_only=True):
    """Who signs checkpoints of the log, and who remembers them off the gate (docs/audit.md); what seals personal fields (docs/retention.md)."""

    key: Path | None = None
    """The gate's signing key (Ed25519): a file (PEM), or the URI of one in a token (``pkcs11:…``); None: no checkpoints are made, and a tail of the log that was cut off is never found."""
    witness: Address | None = None
    """The address of a witness that countersigns, or a file on another mount."""
    witness_key: VerifierKey | None = None
    witness_ca: Path | None = None
    """Whose certificates the witness shows (PEM), where not those that the system believes."""
    sealing_key: Path | None = None
    """Under which keys of personal fields are wrapped (64 hexadecimal digits); None: those fields lie in the log as they are."""
    retention: Path | None = None
    """How long each kind of them can be read (docs/retention.md); None: the periods that come with the software."""

    @property
    def remote(self) -> bool:
        """Whether the witness is asked over the network, and countersigns."""
        return (self.witness or "").startswith(("https://", "http://"))

    @property
    def witness_file(self) -> Path:
        return Path(self.witness or "")


class Fleet(Section, frozen=True, kw_only=True):
    """The way to the centre of a fleet (docs/fleet.md). A gate without this section stands alone, and lacks nothing for it."""

    url: FleetUrl
    ca: Path | None = None
    """Whose certificates the broker shows (PEM); with ``certificate`` and ``key``, the gate's own, both ends prove themselves."""
    certificate: Path | None = None
    key: Path | None = None
    signing_key: Path
    """By which the gate signs what it tells (Ed25519): a file (PEM), or the URI of a key in a token (``pkcs11:…``)."""
    keys: Path
    """Whose signatures count from the centre: the directory of keys."""
    signers: tuple[Signer, ...] = ()
    """Who puts keys into that directory: one for which no two of them signed counts for nothing. Demonstrations need none."""
    rows_per_s: Annotated[float, Meta(ge=1, le=10_000)] = 200.0
    """At most so many records are sent, so that a gate that was offline for days leaves room for the others."""
    updates: Path | None = None
    """A folder for what the centre assigns to this gate, with the first ``root.json`` in it; None: nothing is taken from there."""
    updates_every_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    """Between two looks there, by and large: 3,000 gates to whom nothing is new ask the broker 200 small questions a second."""


class Config(Section, frozen=True, kw_only=True):
    profile: Literal["demo", "training", "trial"]
    state_dir: Path
    lane: Lane
    timeouts: Timeouts = Timeouts()
    scanner: Scanner
    chip: Chip = Chip()
    camera: Camera
    controller: Controller
    panel: Panel = Panel()
    face: Face
    trust: Trust
    registries: Registries = Registries()
    rules: Rules = Rules()
    audit: Audit = Audit()
    screens: Screens = Screens()
    console: Console = Console()
    health: Health = Health()
    fleet: Fleet | None = None

    @property
    def officers_supervise(self) -> bool:
        """Whether officers who signed in are the supervision, and not that the officer page's process runs."""
        told = self.console.supervision
        return told == "officers" if told else not PROFILES[self.profile].demonstration
