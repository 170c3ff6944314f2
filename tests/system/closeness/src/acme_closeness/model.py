"""Closeness by Kullback-Leibler divergence, as in D. Rebollo-Monedero, J. Forné and J. Domingo-Ferrer, TKDE 22(11)."""

import attrs
import numpy as np

from pamola_ops_anonymize import PrivacyModel


@attrs.frozen
class KLCloseness(PrivacyModel):
    name = "kl-closeness"
    less_is_better = True
    bits: float = attrs.field(validator=attrs.validators.gt(0))

    def measure(self, classes):
        values = classes.sensitive
        part = values.count / classes.sizes[values.owner]
        learned = part * np.log2(part / values.share[values.value])
        return np.maximum(0.0, np.bincount(values.owner, weights=learned, minlength=values.classes))

    def holds(self, measured):
        return measured <= self.bits + 1e-9

    def words(self):
        return f"closeness of {self.bits:g} bits"

    def claims(self):
        return "bits", self.bits
