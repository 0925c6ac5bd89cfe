"""pymrtd's program, run by its own interpreter (``make setup-peers``): nothing of ours is imported, and nothing of it by us.

Each line that comes in is JSON: EF.SOD and its CSCA certificate in hexadecimal, the right one given, as pymrtd leaves the search to
its caller. Each line that goes out: nanoseconds of the clock and of the processor, or what pymrtd had to say against it.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    import gc

    from pymrtd.ef.sod import SOD
    from pymrtd.pki.x509 import CscaCertificate

    def authenticate(sod_encoded: bytes, csca: CscaCertificate) -> None:
        sod = SOD.load(sod_encoded)
        for signer in sod.signers:
            certificate = sod.getDscCertificate(signer)
            certificate.verify(csca)
            sod.verify(signer, certificate)
            assert len(sod.ldsSecurityObject.dgHashes)

    authorities: dict[str, CscaCertificate] = {}
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        csca = authorities.setdefault(asked["csca"], CscaCertificate.load(bytes.fromhex(asked["csca"])))
        encoded = bytes.fromhex(asked["sod"])
        begun, worked = time.perf_counter_ns(), time.thread_time_ns()
        try:
            authenticate(encoded, csca)
            answer = {"clock": time.perf_counter_ns() - begun, "processor": time.thread_time_ns() - worked}
        except Exception as error:  # noqa: BLE001 - whatever it says is reported
            answer = {"refused": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
