"""Passive authentication and chip authenticity of electronic travel documents (ICAO Doc 9303-10, -11, -12).

Bytes, a trust store and a time go in, a verdict comes out: no device, no clock, no network. The public names live in the
modules below and are imported from there, so that importing the package itself costs nothing::

    from pki.passive_authentication import authenticate_sod, bind_data_groups, passive_authentication
    from pki.chip_authenticity import ChipAuthenticationEvidence, chip_authenticity
    from pki.active_authentication import ActiveAuthenticationEvidence
    from pki.trust import Csca, TrustStore, load_trust_store, save_trust_store
    from pki.inspection_record import InspectionRecord, Step
    from pki.results import Authentic, PassiveAuthResult, Rejected, SignedHashes, Undetermined
    from pki.errors import PkiError, ReasonCode

    from pki.sources import read_sources              # master lists, directory files, certificates, folders
    from pki.union import union                       # each once, the home State's pinned
    from pki.rollover import roll_over, vouched_for   # links between keys
    from pki.inventory import outlook, take_inventory # what the anchors are worth
    from pki.trust_versions import TrustVersions, open_active   # two people's signatures
    from pki.deviations import open_deviation_list
    from pki.known_defects import DocumentFacts, read_with
"""

__all__ = [
    "active_authentication",
    "chip_authenticity",
    "deviations",
    "errors",
    "inventory",
    "known_defects",
    "masterlist",
    "passive_authentication",
    "results",
    "revocation",
    "rollover",
    "sources",
    "trust",
    "trust_versions",
    "union",
]
