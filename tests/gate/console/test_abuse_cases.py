"""The abuse cases of the console by name, and the test that refuses each: none is lost by renaming a test, and there are enough of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BROWSER = HERE.parents[1] / "browser"
HOSTILE_PROCESS = {
    "passes on another order than was signed": "test_hostile_console::test_a_console_that_passes_on_something_else_than_was_signed",
    "uses a signature made for another lane": "test_hostile_console::test_an_assertion_for_the_challenge_of_another_lane",
    "uses a signature twice": "test_hostile_console::test_an_assertion_is_good_once",
    "tries a refused signature with other words": "test_hostile_console::test_a_refused_assertion_cannot_be_tried_again_with_other_words",
    "puts a new nonce to an old signature": "test_hostile_console::test_an_assertion_with_an_old_signature_and_a_new_nonce",
    "keeps a signature for later": "test_hostile_console::test_a_nonce_dies_after_a_minute",
    "keeps a signature for the next traveller": "test_hostile_console::test_a_signature_kept_for_the_next_traveller",
    "keeps a signature until the lane stands elsewhere": "test_hostile_console::test_a_signature_kept_while_the_same_traveller_was_elsewhere_in_the_lane",
    "asks for nonces without end": "test_hostile_console::test_a_flood_of_nonces_costs_the_console_its_own_alone",
    "orders without end": "test_hostile_console::test_a_flood_of_orders_is_proven_in_small_helpings_and_fills_no_log",
    "orders without end, past an honest officer": "test_console_processes::test_a_flood_of_orders_leaves_the_lane_to_an_honest_officer",
    "writes lines into the log by odd words": "test_hostile_console::test_words_of_a_console_cannot_forge_lines_in_the_log",
    "poses as another process": "test_console_processes::test_a_console_cannot_pose_as_another_process",
    "answers for the verifier": "test_console_processes::test_a_console_cannot_answer_for_the_verifier",
    "gives orders of the command line": "test_console_processes::test_a_console_gets_no_order_of_the_command_line_carried_out",
    "speaks for a reader": "test_console_processes::test_a_console_that_speaks_for_a_reader_is_not_heard",
    "talks nonsense": "test_console_processes::test_a_console_that_talks_nonsense_is_hung_up_on_and_the_lane_goes_on",
    "tells one lane what was signed for another": "test_console_processes::test_an_order_signed_for_one_lane_told_to_another_is_refused",
    "puts officers on watch by itself": "test_console_processes::test_a_console_that_puts_officers_on_watch_by_itself_supervises_nothing",
    "brings back an officer who signed out": "test_watching::test_a_watch_is_good_once",
    "keeps an officer on watch for ever": "test_watching::test_a_watch_ends_by_itself_and_begins_anew_with_every_signature",
    "makes an order of a watch, or a watch of an order": "test_watching::test_a_signature_for_an_order_is_no_watch_and_one_for_a_watch_no_order",
    "opens a case in the name of who is not there": "test_watching::test_nobody_is_shown_a_case_who_is_not_on_watch",
    "opens the case of who waits for nobody": "test_watching::test_a_traveller_who_waits_for_nobody_is_shown_to_nobody",
    "opens the case of who has gone": "test_watching::test_the_case_before_or_of_another_is_shown_no_more",
    "opens cases while the log takes nothing": "test_watching::test_a_log_that_takes_nothing_shows_nothing",
    "asks for cases without end": "test_watching::test_questions_for_cases_without_end_fill_no_log",
}
OTHERS = {
    "an authenticator on no roster": "test_hostile_console::test_an_authenticator_that_is_on_no_roster",
    "an authenticator under another's name": "test_hostile_console::test_an_authenticator_under_another_officers_name",
    "a copied authenticator": "test_hostile_console::test_a_counter_that_goes_back_or_stands_still_is_a_second_authenticator",
    "a signature made elsewhere, or without its holder": "test_hostile_console::test_a_signature_made_elsewhere_or_without_its_holder",
    "a roster that strangers, or one person, signed": "test_hostile_console::test_a_roster_with_one_signature_or_of_strangers",
    "a roster that was changed": "test_hostile_console::test_a_roster_whose_octets_were_changed",
    "an old roster put back": "test_hostile_console::test_an_old_roster_put_back",
    "counters that were destroyed": "test_hostile_console::test_counters_that_cannot_be_read_refuse",
    "a verifier that was ended": "test_hostile_console::test_no_verifier_no_order",
    "a verifier that lies": "test_hostile_console::test_a_verifier_that_says_nothing_or_nonsense",
    "a stolen session": "test_console_processes::test_a_stolen_session_orders_nothing",
    "no session, or a guessed one": "test_console_processes::test_who_is_not_signed_in_gets_nothing",
    "a page of another site": "test_console_processes::test_another_site_cannot_order_through_an_officers_browser",
    "broken requests": "test_console_processes::test_broken_requests_are_refused_and_the_console_lives_on",
    "requests without end": "test_console_processes::test_a_flood_of_requests_is_slowed_down",
    "challenges without end, signed by nobody": "test_console_processes::test_challenges_that_nobody_signs_do_not_use_up_an_officers_nonce",
    "half a key": "test_console_processes::test_nobody_signs_in_with_half_a_key",
    "a sign-in used twice": "test_console_processes::test_an_assertion_to_sign_in_is_good_once_and_for_this_console",
    "a password that would order": "test_console_processes::test_a_password_shows_lanes_and_does_nothing",
    "passwords that are guessed": "test_console_processes::test_passwords_are_refused_alike_and_slowly",
    "a cheap hash on the roster": "test_sessions::test_only_hashes_with_our_own_cost_are_passwords",
    "somebody else's key at a screen that was left": "test_console_processes::test_nobody_stays_on_watch_by_somebody_elses_key",
    "an auditor who would rule": "test_orders::test_who_may_not_rule_rules_on_nobody",
    "an auditor who would see who it is": "test_console_processes::test_who_signs_in_without_supervising_is_on_watch_nowhere",
    "an officer whose days are over": "test_orders::test_an_officer_out_of_their_days_orders_nothing",
    "an officer out of the shift": "test_orders::test_an_officer_out_of_the_shift_orders_nothing",
    "an officer who was taken off the roster": "test_orders::test_an_officer_who_was_taken_off_the_roster_orders_nothing_more",
    "a session that outlives the shift": "test_sessions::test_a_session_ends_with_the_shift_and_none_begins_after_it",
    "a screen that was left": "test_sessions::test_a_session_that_nobody_touches_ends_and_so_does_its_officers_presence",
    "one officer who plays two": "test_orders::test_two_authenticators_of_one_officer_are_one_officer",
    "one officer who plays two in an emergency": "test_orders::test_one_officer_with_two_keys_is_not_two_in_an_emergency_either",
    "two halves of different orders": "test_orders::test_a_pass_and_an_emergency_are_no_two_halves_of_one_another",
    "a pass for who is not alone": "test_orders::test_nobody_is_let_pass_who_is_not_alone",
    "a pass without supervision": "test_orders::test_without_supervision_no_officer_opens_an_exit",
    "a pass that nobody could prove later": "test_orders::test_a_pass_that_the_disk_or_the_crossings_refuse_opens_nothing",
    "the clock set back": "test_orders::test_with_a_doubtful_clock_only_what_is_harmless_is_carried_out",
    "an order from the gate's own machine": "test_orders::test_a_gate_in_operation_takes_no_order_from_its_machine",
    "another threshold at run time": "test_orders::test_nobody_changes_a_threshold_at_run_time",
    "two officers at once": "test_console_demo::test_two_officers_rule_on_referred_travellers_and_the_log_proves_whose_orders_they_were",
}


def functions_of(module: str) -> set[str]:
    path = next(folder / f"{module}.py" for folder in (HERE, BROWSER) if (folder / f"{module}.py").exists())
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("cases", [HOSTILE_PROCESS, OTHERS])
def test_each_abuse_case_has_its_test(cases):
    assert {where for where in cases.values() if where.partition("::")[2] not in functions_of(where.partition("::")[0])} == set()
    assert len(set(cases.values())) == len(cases), "no two by the same test"


def test_there_are_enough_of_them():
    assert len(HOSTILE_PROCESS) >= 10
    assert len(HOSTILE_PROCESS | OTHERS) >= 40
