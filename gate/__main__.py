"""The command ``autogate``. Each subcommand loads only what it needs."""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything imports ONNX Runtime: a border gate phones nobody

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DEMO_STATE = Path(".state/demo")
TRAINING_STATE = Path(".state/training")
SIMULATION_STATE = Path(".state/simulation")


def _parser(command: str, word: str = "") -> argparse.ArgumentParser:  # noqa: PLR0915 - a list of commands, each in two or three lines
    """Some commands have options that live with them; loading those for every ``command`` would cost half a second. ``word`` follows it."""
    parser = argparse.ArgumentParser(prog="autogate", description="Edge service of an automated border control gate.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="send a cast of travellers through a simulated lane")
    if command == "demo":
        from gate.demo.run import add_arguments

        add_arguments(demo)

    serve = commands.add_parser("serve", help="run the processes of one lane")
    serve.add_argument("config", type=Path)

    replay = commands.add_parser("replay", help="judge recorded decisions again")
    replay.add_argument("transactions", nargs="*", help="transaction ids; all where none is named")
    replay.add_argument("--state", type=Path, default=DEMO_STATE)
    replay.add_argument("--store", type=Path, metavar="DIR", help="folder of signed rule sets to look in, too")
    replay.add_argument("--sealing-key", type=Path, metavar="FILE", help="what opens evidence, where it lies elsewhere")

    lane = commands.add_parser(
        "lane", help="orders to a demonstration's lane that stands still, and a lane's waiver for its link"
    )
    if command == "lane":
        from gate.lane_command import add_arguments as add_lane_arguments

        add_lane_arguments(lane, DEMO_STATE)

    audit = commands.add_parser("audit", help="the log: find any change, prove and hand over records, be a witness")
    if command == "audit":
        from gate.audit.command import add_arguments as add_audit_arguments

        add_audit_arguments(audit, DEMO_STATE)

    report = commands.add_parser("report", help="reports made from audit logs")
    if command == "report":
        from gate.report import add_arguments as add_report_arguments

        add_report_arguments(report, DEMO_STATE)

    config = commands.add_parser("config", help="look at a configuration").add_subparsers(dest="config", required=True)
    check = config.add_parser("check", help="list every error of a file with its line")
    check.add_argument("file", type=Path)

    models = commands.add_parser("models", help="face packs: put them in place, examine them")
    if command == "models":
        from gate.models import add_arguments as add_models_arguments

        add_models_arguments(models, DEMO_STATE / "packs")

    policy = commands.add_parser("policy", help="the rules: what they open for, what others would change, why it was so decided")
    if command == "policy":
        from gate.policy_command import add_arguments as add_policy_arguments

        add_policy_arguments(policy, DEMO_STATE)

    registries = commands.add_parser(
        "registries", help="the registries' data for a day without network: fetch them, say how old they are"
    )
    if command == "registries":
        from gate.registries_command import add_arguments as add_registries_arguments

        add_registries_arguments(registries)

    chip = commands.add_parser("chip", help="look at a chip: the readers there are, what it says")
    if command == "chip":
        from gate.chip_command import add_arguments as add_chip_arguments

        add_chip_arguments(chip)

    trust = commands.add_parser("trust", help="whom the gate believes: lists in, versions, two signatures")
    if command == "trust":
        from gate.trust_command import add_arguments as add_trust_arguments

        add_trust_arguments(trust)

    officers = commands.add_parser("officers", help="whose orders lanes take: rosters, versions, two signatures")
    if command == "officers":
        from gate.console.roster_command import add_arguments as add_officers_arguments

        add_officers_arguments(officers)

    train = commands.add_parser("train", help="exercises for officers: difficult cases on a simulated gate, scored")
    if command == "train":
        from gate.training.run import add_arguments as add_training_arguments

        add_training_arguments(train, TRAINING_STATE)

    simulate = commands.add_parser(
        "simulate", help="a trial that never was: days of travellers before simulated lanes, in seconds"
    )
    if command == "simulate":
        from gate.simulation.command import add_arguments as add_simulation_arguments

        add_simulation_arguments(simulate, SIMULATION_STATE)

    privacy = commands.add_parser("privacy", help="what is held of people; the notice that a breach demands")
    if command == "privacy":
        from gate.privacy.command import add_arguments as add_privacy_arguments

        add_privacy_arguments(privacy, DEMO_STATE)

    collect = commands.add_parser(
        "collect", help="the centre: take what gates sent from the broker into the database, sign receipts"
    )
    if command == "collect":
        from gate.fleet.command import add_collect_arguments

        add_collect_arguments(collect)

    fleet = commands.add_parser(
        "fleet", help="many gates and their centre: keys, updates, what was received, the page, a demonstration"
    )
    if command == "fleet":
        from gate.fleet.command import add_arguments as add_fleet_arguments

        add_fleet_arguments(fleet, word)

    release = commands.add_parser("release", help="a package: two people sign for it; its state follows the software")
    if command == "release":
        from gate.release.command import add_arguments as add_release_arguments

        add_release_arguments(release)

    support = commands.add_parser("support-bundle", help="what helps somebody to help from afar, and nothing about travellers")
    if command == "support-bundle":
        from gate.support import add_arguments as add_support_arguments

        add_support_arguments(support, DEMO_STATE)

    commands.add_parser("doctor", help="examine this installation").add_argument("--config", type=Path)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit status: 0 done, 1 found something, 2 cannot be done as asked."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(*[*arguments, "", ""][:2]).parse_args(arguments)
    match options.command:
        case "demo":
            from gate.demo.run import demo_command

            return demo_command(options)
        case "serve":
            from gate.service import serve_command

            return serve_command(options.config)
        case "replay":
            from gate.replay import replay_command

            return replay_command(options.state, options.transactions, options.store, options.sealing_key)
        case "lane" if options.lane == "waive":
            from gate.link_waiver import waive_command

            return waive_command(options)
        case "lane":
            from gate.lane_command import lane_command

            return lane_command(options.state, options.lane, options.name)
        case "audit":
            from gate.audit.command import audit_command

            return audit_command(options)
        case "report":
            from gate.report import report_command

            return report_command(options)
        case "config":
            from gate.config import check_command

            return check_command(options.file)
        case "models":
            from gate.models import models_command

            return models_command(options)
        case "registries":
            from gate.registries_command import registries_command

            return registries_command(options)
        case "chip":
            from gate.chip_command import chip_command

            return chip_command(options)
        case "trust":
            from gate.trust_command import trust_command

            return trust_command(options)
        case "train":
            from gate.training.run import train_command

            return train_command(options)
        case "simulate":
            from gate.simulation.command import simulate_command

            return simulate_command(options)
        case "officers":
            from gate.console.roster_command import officers_command

            return officers_command(options)
        case "privacy":
            from gate.privacy.command import privacy_command

            return privacy_command(options)
        case "support-bundle":
            from gate.support import support_command

            return support_command(options)
        case "release":
            from gate.release.command import release_command

            return release_command(options)
        case "collect":
            from gate.fleet.command import collect_command

            return collect_command(options)
        case "fleet":
            from gate.fleet.command import fleet_command

            return fleet_command(options)
        case "policy":
            from gate.policy_command import policy_command

            return policy_command(options)
        case _:
            from gate.doctor import doctor_command

            return doctor_command(options.config)


if __name__ == "__main__":
    raise SystemExit(main())
