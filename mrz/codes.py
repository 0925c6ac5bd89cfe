"""States and organizations (Doc 9303-3 §5): who may stand as issuing State or as nationality, and where each code comes from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ISO_3166 = frozenset(
    """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM BLR BLZ BMU BOL
    BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM
    DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY
    HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY
    LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM
    NCL NER NFK NGA NIC NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU
    SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO
    TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
    """.split()  # noqa: SIM905  # as a table it can be read beside the standard
)
"""ISO 3166-1 alpha-3, officially assigned, as of 2025 (249 codes)."""

_PARTS: dict[str, dict[str, str]] = {
    "Part A": {
        "D": "Germany",
        "RKS": "Kosovo",
        "GBD": "British Overseas Territories Citizen",
        "GBN": "British National (Overseas)",
        "GBO": "British Overseas Citizen",
        "GBP": "British Protected Person",
        "GBS": "British Subject",
    },
    "Part B": {"EUE": "European Union"},
    "Part C": {
        "UNO": "United Nations Organization",
        "UNA": "United Nations specialized agency",
        "UNK": "United Nations Interim Administration Mission in Kosovo",
    },
    "Part D": {
        "XBA": "African Development Bank",
        "XIM": "African Export-Import Bank",
        "XCC": "Caribbean Community",
        "XCE": "Council of Europe",
        "XCO": "Common Market for Eastern and Southern Africa",
        "XEC": "Economic Community of West African States",
        "XPO": "International Criminal Police Organization",
        "XES": "Organization of Eastern Caribbean States",
        "XMP": "Parliamentary Assembly of the Mediterranean",
        "XOM": "Sovereign Military Order of Malta",
        "XDC": "Southern African Development Community",
    },
    "Part E": {
        "XXA": "stateless person",
        "XXB": "refugee (1951 Convention)",
        "XXC": "other refugee",
        "XXX": "person of unspecified nationality",
    },
    "Part F": {"ANT": "Netherlands Antilles (old documents)", "NTZ": "Neutral Zone (old documents)"},
    "Part G": {"UTO": "Utopia (specimens)"},
}
SPECIAL: Mapping[str, str] = MappingProxyType({code: name for part in _PARTS.values() for code, name in part.items()})
"""Codes that ISO 3166-1 does not have, with what they stand for."""

SPECIMENS = frozenset({"UTO", "YTO"})
"""Utopia; some examples of Doc 9303-3 Appendix A spell it YTO."""
MASTER_LIST_SIGNER = "IAO"
"""ICAO itself (Part H): signs master lists and issues no travel document."""
NO_ISSUERS = frozenset(_PARTS["Part E"])
"""Kinds of persons: nationalities, and nobody who could issue anything."""

NATIONALITIES = (ISO_3166 | SPECIAL.keys()) - SPECIMENS
"""What may stand as nationality of a real document, fillers left off: also organizations, for their officials."""
ISSUERS = NATIONALITIES - NO_ISSUERS
"""What may stand as issuing State or organization of a real document."""


def is_known_state(code: str) -> bool:
    """Whether ``code`` (without fillers) may stand in a travel document, specimens included."""
    return code in ISO_3166 or code in SPECIAL


def source(code: str) -> str:
    """Which list has this code, with its date; empty for a code that none has."""
    if code in ISO_3166:
        return "ISO 3166-1 alpha-3, as of 2025"
    part = next((part for part, codes in _PARTS.items() if code in codes), None)
    return f"Doc 9303-3 §5 {part}, 8th edition 2021 with corrigendum of 14 November 2022" if part else ""
