"""The terms of the field that reports of the pack use, with what they mean in a sentence or two."""

from __future__ import annotations

TERMS = {
    "direct identifier": "A column that names or numbers a person by itself, such as a name or a customer number.",
    "quasi-identifier": (
        "A column that names no person, but that others may know of one. Several together can single people out."
    ),
    "sensitive attribute": "A column that holds what an attacker would like to learn of a person.",
    "equivalence class": "The records of a table that are alike in all quasi-identifiers.",
    "k-anonymity": "Each record shares its quasi-identifiers with at least k − 1 others (Sweeney 2002).",
    "k-map": "Each record is like at least k people of the population in its quasi-identifiers.",
    "l-diversity": (
        "Each equivalence class has at least l different values of a sensitive attribute"
        " (Machanavajjhala and others 2007)."
    ),
    "t-closeness": (
        "In each equivalence class, a sensitive attribute is distributed as in the whole table, but for a distance"
        " of t (Li and others 2007)."
    ),
    "δ-disclosure": "In no equivalence class is a sensitive value much more or less frequent than in the whole table.",
    "β-likeness": "No equivalence class raises the frequency of a sensitive value by more than the factor β.",
    "(α, k)-anonymity": "k-anonymity in which no sensitive value has a larger share of a class than α.",
    "δ-presence": "Who has the population knows at most with the probability δ that a person is in the table.",
    "differential privacy": (
        "What is published is nearly as probable whether or not a person is in the data; ε limits the difference."
    ),
    "prosecutor": "An attacker who knows that a person is in the table, and looks for that person's record.",
    "journalist": "An attacker who does not know whether a person is in the table, and wants to find anyone in it.",
    "marketer": "An attacker who wants to identify as many records as possible; the risk is the average of all.",
    "unique records": "Records that no other record shares its values with, in the columns that are named.",
    "isolated class": (
        "An equivalence class in which a published end of an interval, or a member of a set, is the value of one"
        " record alone."
    ),
    "information loss": "What part of their precision the columns lost: 0 % as they were, 100 % nothing left.",
    "NCP-set": (
        "Normalized certainty penalty of intervals and sets: the part of a column's range or values that a cell"
        " covers, on average."
    ),
    "NCP-hier": "The same for labels of a hierarchy: the part of the column's values under a label, on average.",
    "discernibility": "The sum of the squared sizes of classes: the smaller, the finer the classes.",
    "generalization": "A value becomes a range, a set or a broader category.",
    "suppression": "A value or a whole record is removed.",
    "microaggregation": "Similar records are grouped, and each value becomes the group's mean.",
    "special unique": "A record that is unique already in few columns, and so in every table that has them.",
}
