"""Each attack on a release, tried on persons of the original and on others, as a rate and a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs
import numpy as np
import pandas as pd

from . import linking, singling_out
from .attacked import AttackedTables
from .domains import Ints
from .downcoding import stated_ends
from .intersected import together
from .measures import Grouping
from .minimality import Excluded
from .persons import Persons
from .rates import Rate

AttackName = Literal[
    "singling_out",
    "linkability",
    "inference",
    "membership",
    "record_linkage",
    "intersection",
    "downcoding",
    "minimality",
]

FEW = 30
"""With fewer predicates than these, singling out is warned of."""


@attrs.frozen
class Found:
    """What one attack found.

    Attributes:
        key: Its name in metrics.
        label: Its name in charts.
        what: What its rate counts, in words.
        guess: What it is compared with where there is no control, in words.
        others: What it is compared with where there is one.
        rate: How often it succeeded; None where it only measures.
        more: Further figures.
        sentence: What it found in words, where there is no rate, or more to say than that.
        warning: What to know before its figures are used.
        of_persons: Whether it succeeds on persons, so that its risk can be the greatest.
    """

    key: str
    label: str
    what: str
    guess: str = "for guesses at random"
    others: str = "for people who are not in the table"
    rate: Rate | None = None
    more: dict[str, Any] = attrs.Factory(dict)
    sentence: str = ""
    warning: str = ""
    of_persons: bool = True

    def told(self, confidence: float) -> dict[str, Any]:
        """For metrics."""
        if self.rate is None:
            return {"meaning": self.sentence, **self.more}
        others = self.others if self.rate.compared == "control" else self.guess
        words = [self.rate.in_words(self.what, others, confidence), *([self.sentence] if self.sentence else [])]
        return {"meaning": "; ".join(words), **self.rate.told(confidence), **self.more}


@attrs.frozen(eq=False)
class Attacks:
    """The attacks on a release.

    Attributes:
        tables: Original, control and release.
        released: The release as it is read.
        known: Columns that attackers know, the quasi-identifiers.
        sensitive: Columns that they would like to know.
        linked: The columns of each of two attackers.
        persons: Whose the records of the original are.
        strangers: Whose those of the control are; None without one.
        identified: Whether columns say whose the records are; else those that are alike count once for predicates.
        attempts: How often each attack is tried at most.
        predicate_columns: How many columns a predicate has.
        others: The same tables with other releases.
        minimality: Runs the anonymization again.
        rng: Chooses everything that is chosen at random.
    """

    tables: AttackedTables
    released: pd.DataFrame
    known: list[str]
    sensitive: list[str]
    linked: Sequence[Sequence[str]]
    persons: Persons
    strangers: Persons | None
    identified: bool
    attempts: int
    predicate_columns: int
    others: Sequence[AttackedTables]
    minimality: Callable[[], Excluded]
    rng: np.random.Generator

    def run(self, names: Sequence[AttackName]) -> Iterator[Found]:
        """Try these attacks, one after the other."""
        of: Mapping[AttackName, Callable[[], Iterator[Found]]] = {
            "singling_out": self._singling_out,
            "linkability": self._linkability,
            "inference": self._inference,
            "membership": self._membership,
            "record_linkage": self._record_linkage,
            "intersection": self._intersection,
            "downcoding": self._downcoding,
            "minimality": self._minimality,
        }
        for name in names:
            yield from of[name]()

    def _targets(self, persons: Persons, most: int | None = None) -> Ints:
        """A record each of some persons, drawn at random."""
        shuffled = self.rng.permutation(len(persons.of))
        _, first = np.unique(persons.of[shuffled], return_index=True)
        count = min(len(first), self.attempts if most is None else most)
        return np.asarray(shuffled[self.rng.choice(first, size=count, replace=False)], dtype=np.int64)

    def _compared(
        self, attack: Callable[[Ints, str], int], baseline: Callable[[Ints], int]
    ) -> tuple[Rate, dict[str, Any]]:
        """An attack on persons of the original, and on strangers or by guessing; both figures where there are both."""
        targets = self._targets(self.persons)
        successes, guessed = attack(targets, "original"), baseline(targets)
        if self.strangers is None:
            return Rate(len(targets), successes, len(targets), guessed, "baseline"), {}
        others = self._targets(self.strangers)
        rate = Rate(len(targets), successes, len(others), attack(others, "control"), "control")
        return rate, {"attempts_baseline": len(targets), "successes_baseline": guessed}

    # ------------------------------------------------------------ predicates

    def _singling_out(self) -> Iterator[Found]:
        names = [*self.known, *self.sensitive]
        tables = self.tables.each_once(names)
        persons = self._whose()
        if not self.identified:
            persons = {side: tables.different(names, side) for side in persons}
        crowds = singling_out.crowds(tables, names, persons)
        count = min(self.predicate_columns, len(names))
        ways = {
            "univariate": singling_out.univariate(tables, names, crowds["released"])[: self.attempts],
            "multivariate": singling_out.multivariate(
                tables, names, count, self.attempts, crowds["released"], self.rng
            ),
        }
        for way, predicates in ways.items():
            columns = 1 if way == "univariate" else count
            guesses = list(singling_out.at_random(tables, names, columns, len(predicates), self.rng))
            rate, more = self._tried(crowds, predicates, guesses)
            on = "one column" if columns == 1 else f"{columns} columns"
            yield Found(
                f"singling_out_{way}",
                f"Singling out, {on}",
                f"predicates on {on} that one released record satisfies single out one person",
                "for predicates at random",
                rate=rate,
                more={**more, "predicates": len(predicates), "columns": columns},
                warning=""
                if way == "univariate" or len(predicates) >= min(FEW, self.attempts)
                else f"singling out: of {self.attempts:,} predicates on {on} (of {', '.join(names)}) that one released"
                f" record satisfies, only {len(predicates):,} were found: so few attempts say little, as their"
                f" confidence interval shows",
            )

    def _downcoding(self) -> Iterator[Found]:
        predicates, guesses = stated_ends(self.tables, self.released, self.known, self.attempts, self.rng)
        crowds = singling_out.crowds(self.tables, self.known, self._whose())
        rate, more = self._tried(crowds, predicates, None)
        yield Found(
            "downcoding",
            "Downcoding",
            "predicates of a class's cells with one end of an interval, or member of a set, single out one person",
            "without a control, none is counted",
            rate=rate,
            more=more,
        )

        held = singling_out.satisfied(crowds["original"], predicates)
        guessed = singling_out.satisfied(crowds["original"], guesses)
        yield Found(
            "downcoding_cells",
            "Downcoding, finer cells",
            "cells can be written finer: a record of the class has the end of the interval, or the member of the set",
            "for a value at random of those that the cell covers",
            rate=Rate(len(predicates), held, len(guesses), guessed, "baseline"),
            of_persons=False,
        )

    def _minimality(self) -> Iterator[Found]:
        found = self.minimality()
        what = "guesses which of two persons of a class has which sensitive values were right, by anonymizing again"
        sentence = (
            f"in {found.excluded:,} of {found.attempts:,} pairs, one way to give the values to the two does not lead to"
            f" their class as the settings make it, and the other does"
        )
        more = {"pairs_excluded": found.excluded, "runs": found.runs}
        rate = Rate(found.attempts, found.right, found.attempts, found.attempts / 2, "baseline")
        guess = "for guesses at random"
        yield Found("minimality", "Minimality", what, guess, rate=rate, more=more, sentence=sentence)

    def _whose(self) -> dict[str, Ints]:
        """Whose the records of the original and of a control are."""
        return {"original": self.persons.of} | ({} if self.strangers is None else {"control": self.strangers.of})

    def _tried(
        self,
        crowds: Mapping[str, singling_out.Crowd],
        predicates: Sequence[singling_out.Predicate],
        guesses: Sequence[singling_out.Predicate] | None,
    ) -> tuple[Rate, dict[str, Any]]:
        attempts, successes = len(predicates), singling_out.succeeded(crowds["original"], predicates)
        guessed = 0 if guesses is None else singling_out.succeeded(crowds["original"], guesses)
        if self.strangers is None:
            return Rate(attempts, successes, attempts, guessed, "baseline"), {}
        there = singling_out.succeeded_in(crowds["control"], predicates, crowds["original"].count, self.rng)
        more = {} if guesses is None else {"attempts_baseline": len(guesses), "successes_baseline": guessed}
        return Rate(attempts, successes, attempts, there, "control"), more

    # ------------------------------------------------------------ nearest records

    def _linkability(self) -> Iterator[Found]:
        rate, more = self._compared(
            lambda targets, side: linking.linked(self.tables, self.linked, targets, side, self.rng),
            lambda targets: linking.linked_at_random(len(targets), self.tables.records, self.rng),
        )
        sets = [list(names) for names in self.linked]
        what = f"links between {' and '.join(', '.join(names) for names in sets)} of a person were found"
        more["linked_columns"] = sets
        yield Found("linkability", "Linkability", what, "for records at random", rate=rate, more=more)

    def _inference(self) -> Iterator[Found]:
        for secret in self.sensitive:

            def attack(targets: Ints, side: str, secret: str = secret) -> int:
                return linking.inferred(self.tables, self.known, secret, targets, side, self.rng)

            def guess(targets: Ints, secret: str = secret) -> int:
                return linking.inferred_at_random(self.tables, secret, targets, self.rng)

            rate, more = self._compared(attack, guess)
            what = f"guesses of {secret} from {', '.join(self.known)} were right"
            yield Found(f"inference_{secret}", f"Inference of {secret}", what, rate=rate, more=more)

    def _membership(self) -> Iterator[Found]:
        assert self.strangers is not None
        most = min(self.attempts, self.persons.count, self.strangers.count)
        members, others = self._targets(self.persons, most), self._targets(self.strangers, most)
        names = [*self.known, *self.sensitive]
        right, wrong, area = linking.membership(self.tables, names, members, others, self.rng)
        rate = Rate(len(members), right, len(others), wrong, "control")
        what = "persons of the table were taken for members"
        yield Found("membership", "Membership", what, rate=rate, more={"auc": area})

    def _record_linkage(self) -> Iterator[Found]:
        chosen = self.rng.choice(self.tables.records, size=min(self.attempts, self.tables.records), replace=False)
        names = [*self.known, *self.sensitive]
        strangers = 0 if self.strangers is None else len(self.strangers.of)
        size = min(len(self.persons.of), strangers or len(self.persons.of))
        originals = self.rng.permutation(len(self.persons.of))[:size]
        control = self.rng.permutation(strangers)[:size]
        told, nearer, farther = linking.closest(self.tables, names, chosen, originals, control)
        median = told["original"]["dcr_median"]
        sentence = (
            f"half of the released records are at most {median:.3g} from the nearest original one, of {len(names)} at"
            f" most; the median ratio to the distance of the second nearest is {told['original']['nndr_median']:.3g}"
        )
        if self.strangers is None:
            yield Found("record_linkage", "Record linkage", "", more=told, sentence=sentence)
            return
        rate = Rate(len(chosen), int(nearer.sum()), len(chosen), int(farther.sum()), "control")
        what = "released records are nearer to a person of the table than to any of as many others"
        others = "the other way round"
        yield Found("record_linkage", "Record linkage", what, others=others, rate=rate, more=told, sentence=sentence)

    # ------------------------------------------------------------ another release

    def _intersection(self) -> Iterator[Found]:
        releases = [self.tables, *self.others]
        k = min(map(self._least, releases))

        targets = self._targets(self.persons)
        found = together(releases, self.known, self.sensitive, targets, "original", k)
        share = found.below_k / len(targets)
        more: dict[str, Any] = {
            "k": k,
            "releases": len(releases),
            "below_k": found.below_k,
            "share_below_k": share,
            "disclosed": found.disclosed,
        }
        compared, there = len(targets), 0
        if self.strangers is not None:
            others = self._targets(self.strangers)
            compared = len(others)
            there = together(releases, self.known, self.sensitive, others, "control", k).persons
        rate = Rate(len(targets), found.persons, compared, there, "baseline" if self.strangers is None else "control")
        many = "both" if len(releases) == 2 else f"all {len(releases)}"
        what = (
            f"persons have a value of {', '.join(self.sensitive) or 'no sensitive attribute'} that follows from {many}"
            f" releases and from {'neither' if len(releases) == 2 else 'none'} alone"
        )
        sentence = f"{100 * share:.1f} % share what {many} releases say with fewer than {k} records"
        guess = "without a control, none is counted"
        label = f"Intersection of {'two' if len(releases) == 2 else len(releases)} releases"
        yield Found("intersection", label, what, guess, rate=rate, more=more, sentence=sentence)

    def _least(self, tables: AttackedTables) -> int:
        """Records of the smallest class of a release."""
        frame = pd.DataFrame(dict(zip(self.known, tables.ids(self.known, "released"), strict=True)))
        return Grouping.of(frame, self.known).k or 0
