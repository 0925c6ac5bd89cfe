"""What the model is trained to read."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import mrz
from mrz.training import lines
from mrz.training.glyphs import ALPHABET


def test_every_document_is_a_zone_with_right_check_digits():
    random = Random(1)
    seen = Counter()
    for _ in range(400):
        record = mrz.parse(lines.document(random))
        assert record.check_digits_ok
        seen[record.format] += 1
    assert set(seen) == {"TD1", "TD2", "TD3", "MRV-A", "MRV-B"}


def test_lines_have_lengths_and_characters_of_a_zone():
    random = Random(2)
    for _ in range(500):
        line = lines.line(random)
        assert len(line) in lines.LENGTHS
        assert set(line) <= set(ALPHABET)


def test_no_letter_of_a_name_is_likelier_than_another():
    """A model that learnt which letters are frequent would read a smudge as one of them."""
    random = Random(3)
    letters = Counter("".join(lines._name(random, 39) for _ in range(2000)).replace("<", ""))
    mean = letters.total() / 26
    assert len(letters) == 26
    assert all(abs(count - mean) < 6 * mean**0.5 for count in letters.values())


def test_no_letter_of_a_name_says_anything_of_the_next():
    random = Random(4)
    names = " ".join(lines._name(random, 39).replace("<", " ") for _ in range(8000))
    pairs = Counter(a + b for a, b in pairwise(names) if a != " " and b != " ")
    mean = pairs.total() / 26**2
    chi_square = sum((pairs[a + b] - mean) ** 2 / mean for a in lines.LETTERS for b in lines.LETTERS)
    assert chi_square < 675 + 6 * (2 * 675) ** 0.5


def test_the_same_seed_gives_the_same_lines():
    assert [lines.line(Random(5)) for _ in range(3)] == [lines.line(Random(5)) for _ in range(3)]
    assert lines.line(Random(5)) != lines.line(Random(6))
