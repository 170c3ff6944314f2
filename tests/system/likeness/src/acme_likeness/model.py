"""Basic β-likeness: J. Cao and P. Karras, Publishing microdata with a robust privacy guarantee, VLDB 2012."""

import attrs
import numpy as np

from pamola_ops_anonymize import PrivacyModel


@attrs.frozen
class BetaLikeness(PrivacyModel):
    name = "beta-likeness"
    less_is_better = True
    beta: float = attrs.field(validator=attrs.validators.gt(0))

    def measure(self, classes):
        values = classes.sensitive
        part = values.count / classes.sizes[values.owner]
        share = values.share[values.value]
        gain = np.where(part > share, part / share - 1.0, 0.0)
        return np.maximum.reduceat(gain, np.searchsorted(values.owner, np.arange(values.classes)))

    def holds(self, measured):
        return measured <= self.beta + 1e-9

    def words(self):
        return f"{self.beta:g}-likeness"

    def claims(self):
        return "beta", self.beta
