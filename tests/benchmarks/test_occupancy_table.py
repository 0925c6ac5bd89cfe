"""The table of the sensor's errors in the documentation is what the command prints."""

from pathlib import Path

from benchmarks.occupancy import table

LANE = Path(__file__).resolve().parents[2] / "docs" / "lane.md"


def test_the_documented_miss_rates_are_those_of_the_simulator():
    shown = LANE.read_text(encoding="utf-8").partition("<!-- occupancy -->\n")[2].partition("\n<!-- /occupancy -->")[0]
    assert shown == table()
