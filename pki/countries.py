"""From the State code of an MRZ (three letters, Doc 9303-3 §5) to the countries its certificates may name (two letters).

The table is ISO 3166-1; the exceptions are Doc 9303-3 §5 part B to D. A code that is missing here is *unknown*, which never opens.
"""

from __future__ import annotations

_ISO_3166 = """
AFGAF ALAAX ALBAL DZADZ ASMAS ANDAD AGOAO AIAAI ATAAQ ATGAG ARGAR ARMAM ABWAW AUSAU AUTAT AZEAZ BHSBS BHRBH BGDBD BRBBB BLRBY BELBE
BLZBZ BENBJ BMUBM BTNBT BOLBO BESBQ BIHBA BWABW BVTBV BRABR IOTIO BRNBN BGRBG BFABF BDIBI CPVCV KHMKH CMRCM CANCA CYMKY CAFCF TCDTD
CHLCL CHNCN CXRCX CCKCC COLCO COMKM COGCG CODCD COKCK CRICR CIVCI HRVHR CUBCU CUWCW CYPCY CZECZ DNKDK DJIDJ DMADM DOMDO ECUEC EGYEG
SLVSV GNQGQ ERIER ESTEE SWZSZ ETHET FLKFK FROFO FJIFJ FINFI FRAFR GUFGF PYFPF ATFTF GABGA GMBGM GEOGE DEUDE GHAGH GIBGI GRCGR GRLGL
GRDGD GLPGP GUMGU GTMGT GGYGG GINGN GNBGW GUYGY HTIHT HMDHM VATVA HNDHN HKGHK HUNHU ISLIS INDIN IDNID IRNIR IRQIQ IRLIE IMNIM ISRIL
ITAIT JAMJM JPNJP JEYJE JORJO KAZKZ KENKE KIRKI PRKKP KORKR KWTKW KGZKG LAOLA LVALV LBNLB LSOLS LBRLR LBYLY LIELI LTULT LUXLU MACMO
MDGMG MWIMW MYSMY MDVMV MLIML MLTMT MHLMH MTQMQ MRTMR MUSMU MYTYT MEXMX FSMFM MDAMD MCOMC MNGMN MNEME MSRMS MARMA MOZMZ MMRMM NAMNA
NRUNR NPLNP NLDNL NCLNC NZLNZ NICNI NERNE NGANG NIUNU NFKNF MKDMK MNPMP NORNO OMNOM PAKPK PLWPW PSEPS PANPA PNGPG PRYPY PERPE PHLPH
PCNPN POLPL PRTPT PRIPR QATQA REURE ROURO RUSRU RWARW BLMBL SHNSH KNAKN LCALC MAFMF SPMPM VCTVC WSMWS SMRSM STPST SAUSA SENSN SRBRS
SYCSC SLESL SGPSG SXMSX SVKSK SVNSI SLBSB SOMSO ZAFZA SGSGS SSDSS ESPES LKALK SDNSD SURSR SJMSJ SWESE CHECH SYRSY TWNTW TJKTJ TZATZ
THATH TLSTL TGOTG TKLTK TONTO TTOTT TUNTN TURTR TKMTM TCATC TUVTV UGAUG UKRUA AREAE GBRGB USAUS UMIUM URYUY UZBUZ VUTVU VENVE VNMVN
VGBVG VIRVI WLFWF ESHEH YEMYE ZMBZM ZWEZW
"""

_EXCEPTIONS: dict[str, frozenset[str]] = {
    "D": frozenset({"DE"}),
    **dict.fromkeys(("GBD", "GBN", "GBO", "GBP", "GBS"), frozenset({"GB"})),
    "EUE": frozenset({"EU"}),
    "RKS": frozenset({"KS", "XK"}),  # Kosovo: KS in its certificates, XK the user-assigned ISO code
    **dict.fromkeys(("UNO", "UNA"), frozenset({"UN", "ZZ"})),
    "UNK": frozenset({"UN", "ZZ"}),  # documents of the UN mission in Kosovo
    "UTO": frozenset({"UT"}),  # Utopia, the State of Doc 9303's specimens
}

_COUNTRIES = {entry[:3]: frozenset({entry[3:]}) for entry in _ISO_3166.split()} | _EXCEPTIONS


def countries_of(issuing_state: str) -> frozenset[str]:
    """Two-letter countries for an MRZ issuing State (fillers ``<`` allowed); empty if the code is unknown."""
    return _COUNTRIES.get(issuing_state.rstrip("<"), frozenset())


def two_letters(country: str) -> str:
    """The country of a certificate as it is compared: States have written the three letters of their MRZ (LTU) instead of two."""
    found = countries_of(country) if len(country) == 3 else frozenset()
    return next(iter(found)) if len(found) == 1 else country
