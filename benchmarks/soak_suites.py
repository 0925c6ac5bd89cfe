"""The long suites. Each prepares itself once and then judges single cases, drawn from the dice it is handed.

A case returns a word for what came out, or raises: AssertionError where a property does not hold, anything else where the product let
through an exception that it should not. ``must_see`` are words without which a suite proves nothing. Keys of pretend States are fresh in
each run, so a case repeats by its number in everything but those.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from benchmarks import (
    console_demo,
    console_hour,
    exercises,
    kill_syscalls,
    soak_audit,
    soak_biometrics,
    soak_faces,
    soak_fleet,
    soak_mrz_serial,
    soak_oracles,
    soak_panel,
    soak_pictures,
    soak_registries,
    soak_rules,
    soak_snapshots,
    watchlist_soak,
)
from benchmarks.soak_captures import EXACT, captures, negatives
from benchmarks.soak_cases import Case
from benchmarks.soak_chip import AGREEMENT, FILES, LANGUAGE, MESSAGES, PARTS, mutations
from benchmarks.soak_documents import chip_responses, images, mrz_text
from benchmarks.soak_gate import channel_messages, gate_link, lane_on_a_line, lane_walks, policy
from benchmarks.soak_gate_link import AGREEMENT_SEES, INJECTION_SEES, firmware_agreement, injections
from benchmarks.soak_mrz import any_input, round_trips
from benchmarks.soak_readings import readings
from benchmarks.soak_signed import (
    BELIEVED,
    believed_unchanged,
    card_securities,
    certificates,
    deviation_lists,
    documents,
    master_lists,
    revocation_lists,
    trust_files,
)
from benchmarks.sop_data import sop_offices
from mrz import FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """``prepare`` gives the case; ``cases`` is the full count; ``processes`` share them."""

    cases: int
    prepare: Callable[[], AbstractContextManager[Case]]
    must_see: frozenset[str]
    processes: int = 1


FORGED = frozenset({BELIEVED, "SIGNATURE_INVALID", "MESSAGE_DIGEST_MISMATCH", "MALFORMED"})
"""Of a SignedData that was changed at random."""

SUITES: dict[str, Suite] = {
    "sod_mutations": Suite(cases=100_000, prepare=believed_unchanged(documents), must_see=FORGED | {"SIGNER_CERTIFICATE_FORGED"}),
    "card_security_mutations": Suite(cases=100_000, prepare=believed_unchanged(card_securities), must_see=FORGED),
    "master_list_mutations": Suite(cases=50_000, prepare=believed_unchanged(master_lists), must_see=FORGED),
    "deviation_list_mutations": Suite(cases=50_000, prepare=believed_unchanged(deviation_lists), must_see=FORGED),
    "trust_file_mutations": Suite(
        cases=50_000, prepare=believed_unchanged(trust_files), must_see=frozenset({BELIEVED, "STORE_NOT_SIGNED", "MALFORMED"})
    ),
    "rule_set_mutations": Suite(
        cases=20_000, prepare=believed_unchanged(soak_rules.rule_sets), must_see=frozenset({"STORE_NOT_SIGNED", "MALFORMED"})
    ),
    "audit_tamperings": Suite(cases=1_250, prepare=soak_audit.tamperings, must_see=soak_audit.MUST_SEE | {"honest"}, processes=2),
    "console_demonstrations": Suite(cases=1, prepare=console_demo.demonstrations, must_see=frozenset({"resolved"})),
    "console_hours": Suite(cases=2, prepare=console_hour.hours, must_see=frozenset({"an hour"})),
    "exercises": Suite(cases=2, prepare=exercises.exercises, must_see=frozenset({"scored"})),
    "killed_at_every_call": Suite(
        cases=len(kill_syscalls.SCENES), prepare=kill_syscalls.scenes, must_see=frozenset(kill_syscalls.SCENES)
    ),
    "fleet_power_cuts": Suite(cases=20, prepare=soak_fleet.power_cuts, must_see=frozenset({"nothing lost"})),
    "fleet_chaos": Suite(cases=2, prepare=soak_fleet.chaos, must_see=frozenset({"exact"})),
    "biometrics_left_behind": Suite(cases=150, prepare=soak_biometrics.nothing_left, must_see=soak_biometrics.MUST_SEE),
    "pictures_left_behind": Suite(cases=60, prepare=soak_pictures.nothing_left, must_see=soak_pictures.MUST_SEE),
    "rule_set_keepers_killed": Suite(cases=500, prepare=soak_rules.killed_keepers, must_see=soak_rules.MUST_SEE),
    "certificate_mutations": Suite(
        cases=50_000, prepare=believed_unchanged(certificates), must_see=frozenset({"not issued", "MALFORMED"})
    ),
    "crl_mutations": Suite(
        cases=50_000, prepare=believed_unchanged(revocation_lists), must_see=frozenset({"no_crl", "MALFORMED"})
    ),
    "chip_responses": Suite(cases=10_000, prepare=chip_responses, must_see=frozenset({"authentic"})),
    "chip_language": Suite(
        cases=250_000,
        prepare=mutations(LANGUAGE),
        must_see=frozenset({"read", "TLV_TRUNCATED", "APDU_LENGTH", "RESPONSE_LENGTH"}),
    ),
    "chip_messages": Suite(
        cases=250_000, prepare=mutations(MESSAGES), must_see=frozenset({"read behind the MAC", "SM_MAC_WRONG", "SM_PADDING"})
    ),
    "chip_files": Suite(
        cases=400_000, prepare=mutations(FILES), must_see=frozenset({"read", "1 offer", "DG2_COUNT", "EC_POINT", "TLV_MANY"})
    ),
    "chip_agreement": Suite(
        cases=60_000,
        prepare=mutations(AGREEMENT),
        must_see=frozenset({"established", "PACE_REPLY_WRONG", "agreed", "CA_REPLY_WRONG", "a key fits", "DH_ELEMENT"}),
    ),
    "chip_parts": Suite(
        cases=100_000, prepare=mutations(PARTS), must_see=frozenset({"read", "FILE_TAG", "LENGTH_LOOP", "FILE_ENDS_EARLY"})
    ),
    "chip_readings": Suite(
        cases=20_000,
        prepare=readings,
        must_see=frozenset({"read by pace", "read by bac again", "TagLost", "CHIP_CHANGED", "SM_MAC_WRONG", "CAN_NEEDS_PACE"}),
    ),
    "oracles_documents": Suite(cases=40_000, prepare=soak_oracles.documents, must_see=frozenset({"both accept", "both refuse"})),
    "oracles_certificates": Suite(
        cases=40_000,
        prepare=soak_oracles.certificates,
        must_see=frozenset({"both refuse", "read alike, signature good by both", "read alike, signature of nobody by both"}),
    ),
    "mrz_text": Suite(
        cases=500_000, prepare=mrz_text, must_see=frozenset({"malformed", "check digits right", "check digits wrong"})
    ),
    "mrz_round_trips": Suite(
        cases=100_000,
        prepare=round_trips,
        must_see=frozenset({"TD1 long number", "TD2 long number", "TD3 truncated", "MRV-A", "MRV-B"}),
    ),
    "mrz_any_input": Suite(
        cases=1_000_000,
        prepare=any_input,
        must_see=frozenset(
            {
                "no zone",
                "a foreign character",
                *(f"{name}, check digits {word}" for name in FORMATS for word in ("right", "wrong")),
            }
        ),
    ),
    "captures_scanner": Suite(cases=15_000, prepare=captures("scanner"), must_see=frozenset({EXACT}), processes=2),
    "captures_phone": Suite(cases=10_000, prepare=captures("phone"), must_see=frozenset({EXACT}), processes=2),
    "captures_hard": Suite(cases=5_000, prepare=captures("hard"), must_see=frozenset({EXACT, "margin"}), processes=2),
    "captures_negative": Suite(
        cases=5_000,
        prepare=negatives,
        must_see=frozenset({"two documents: several_documents", "wrong check digit: check_digit", "text: no_mrz"}),
        processes=2,
    ),
    "captures_three_frames": Suite(cases=10_000, prepare=captures("scanner", frames=3), must_see=frozenset({EXACT}), processes=2),
    "serial_readers": Suite(cases=100_000, prepare=soak_mrz_serial.serial_readers, must_see=soak_mrz_serial.MUST_SEE),
    "images": Suite(cases=100_000, prepare=images, must_see=frozenset({"good", "decoded", "undecodable"}), processes=2),
    "images_tiny": Suite(cases=1_000_000, prepare=soak_faces.tiny_images, must_see=soak_faces.TINY_MUST_SEE, processes=2),
    "faces_dg2": Suite(cases=100_000, prepare=soak_faces.dg2, must_see=soak_faces.MUST_SEE, processes=2),
    "firmware_agreement": Suite(cases=1_000_000, prepare=firmware_agreement, must_see=AGREEMENT_SEES),
    "gate_link_injections_python": Suite(cases=100_000, prepare=injections("python"), must_see=INJECTION_SEES),
    "gate_link_injections_c": Suite(cases=100_000, prepare=injections("c"), must_see=INJECTION_SEES),
    "gate_link": Suite(cases=5_000, prepare=gate_link, must_see=frozenset({"every command answered, line damaged"})),
    "lane_on_a_line": Suite(cases=5_000, prepare=lane_on_a_line, must_see=frozenset({"an exit opened", "nothing opened"})),
    "single_door_on_a_line": Suite(
        cases=2_500,
        prepare=partial(lane_on_a_line, "single_door"),
        must_see=frozenset({"an exit opened", "nothing opened"}),
    ),
    "panel_on_a_line": Suite(cases=2_000, prepare=soak_panel.panel_on_a_line, must_see=soak_panel.MUST_SEE),
    "lane_walks": Suite(cases=50_000, prepare=lane_walks, must_see=frozenset({"an exit opened", "nothing opened"})),
    "policy": Suite(cases=1_000_000, prepare=policy, must_see=frozenset({"OPEN", "COUNTER", "HOLD"})),
    "snapshots_on_the_way": Suite(cases=50_000, prepare=soak_snapshots.on_the_way, must_see=soak_snapshots.WAY_SEES),
    "snapshots_on_the_disk": Suite(cases=20_000, prepare=soak_snapshots.on_the_disk, must_see=soak_snapshots.DISK_SEES),
    "registry_answers": Suite(
        cases=200_000,
        prepare=soak_registries.signed_answers,
        must_see=frozenset({"read", "forged", "malformed", "misaddressed", "replayed", "clock", "expired", "stale"}),
    ),
    "registry_interface": Suite(cases=20, prepare=soak_registries.interface, must_see=frozenset({"clean"})),
    "sop_offices": Suite(cases=200, prepare=sop_offices, must_see=frozenset({"exactly the three"})),
    "channel_messages": Suite(cases=300_000, prepare=channel_messages, must_see=frozenset({"hung up", "DocumentChecked"})),
    "watchlist_pairs": Suite(cases=100_000, prepare=watchlist_soak.pairs, must_see=watchlist_soak.MUST_SEE, processes=2),
}
