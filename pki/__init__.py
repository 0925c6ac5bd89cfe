"""Passive authentication and chip authenticity of electronic travel documents (ICAO Doc 9303-10, -11, -12).

Bytes, a trust store and a time go in, a verdict comes out: no device, no clock, no network. The public names live in the
modules below and are imported from there, so that importing the package itself costs nothing::

    from pki.passive_authentication import authenticate_sod, bind_data_groups, passive_authentication
    from pki.chip_authenticity import ChipAuthenticationEvidence, chip_authenticity
    from pki.active_authentication import ActiveAuthenticationEvidence
    from pki.trust import Csca, TrustStore, load_trust_store, save_trust_store
    from pki.results import Authentic, PassiveAuthResult, Rejected, SignedHashes, Step, Undetermined
    from pki.errors import PkiError, ReasonCode
"""

__all__ = ["active_authentication", "chip_authenticity", "errors", "passive_authentication", "results", "revocation", "trust"]
