from __future__ import annotations

import numpy as np
import pandas as pd

from pamola_ops_anonymize.measures import Grouping


def test_k_counts_records_whose_cells_are_missing() -> None:
    table = pd.DataFrame({"a": ["x", "x", "x", None], "b": ["y", "y", "y", None]}, dtype="string")
    assert Grouping.of(table, ["a", "b"]).k == 1
    assert Grouping.of(table.iloc[:3], ["a", "b"]).k == 3


def test_classes_of_more_combinations_than_a_number_holds() -> None:
    few = np.random.default_rng(4).integers(0, 60, size=(400, 12))
    table = pd.DataFrame(np.repeat(few, 3, axis=0)).rename(columns=str)  # 60 ** 12 is above 2 ** 64
    grouping = Grouping.of(table, list(table.columns))
    assert (grouping.k, grouping.classes) == (3, 400)
    assert (grouping.group == np.repeat(np.arange(400), 3)).all()


def test_k_of_no_records_is_unknown() -> None:
    grouping = Grouping.of(pd.DataFrame({"a": []}), ["a"])
    assert grouping.k is None
    assert grouping.average_size is None
    assert grouping.diversity(pd.Series([], dtype=object)) is None


def test_sizes_and_discernibility_follow_the_classes() -> None:
    grouping = Grouping.of(pd.DataFrame({"a": list("xxxyy")}), ["a"])
    assert (grouping.k, grouping.classes, grouping.average_size) == (2, 2, 2.5)
    assert grouping.discernibility() == 3 * 3 + 2 * 2
    assert grouping.discernibility(suppressed=5) == 13 + 5 * 10


def test_distinct_diversity_is_that_of_the_poorest_class_and_says_what_it_means() -> None:
    table = pd.DataFrame({"q": list("xxxyyzz"), "s": ["a", "b", None, "a", "a", "b", "b"], "t": list("abcabab")})
    grouping = Grouping.of(table, ["q"])

    poor = grouping.diversity(table["s"])
    assert poor is not None
    assert (poor.l, poor.exposed_classes, poor.exposed_records) == (1, 2, 4)
    assert "2 equivalence classes (4 of 7 records) share a single s" in poor.meaning("s", 7)

    good = grouping.diversity(table["t"])
    assert good is not None
    assert (good.l, good.exposed_classes) == (2, 0)
    assert "at least 2 distinct values of t" in good.meaning("t", 7)
