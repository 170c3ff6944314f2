import re
import traceback

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.secret import Secret


class Redactor:
    def __init__(self):
        self.patterns, self.predicates, self.names = [], [], {"password", "token"}

    def __call__(self, text):
        for pattern in self.patterns:
            text = pattern.sub("#####", text)
        return text

    def value(self, value, key=""):
        if isinstance(value, Secret) or (key and self.hides(key) and value):
            return "#####"
        if hasattr(value, "items"):
            return {str(k): self.value(v, str(k)) for k, v in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self(str(value))

    def hides(self, key):
        return key.lower() in self.names or any(told(key) for told in self.predicates)

    def register(self, secret):
        if text := secret.reveal() if isinstance(secret, Secret) else secret:
            self.add_pattern(re.escape(text))

    def learn(self, value, key=""):
        if isinstance(value, Secret) or (isinstance(value, str) and key and self.hides(key)):
            self.register(value)
        for k, v in value.items() if hasattr(value, "items") else ():
            self.learn(v, str(k))

    def add_pattern(self, pattern):
        self.patterns.append(re.compile(pattern))

    def add_predicate(self, is_secret_key):
        self.predicates.append(is_secret_key)

    def add_names(self, names):
        self.names.update(name.lower() for name in names)

    def disclosure(self, run=None, datasets=()):
        return Disclosure()


class Disclosure:
    def message(self, error):
        return str(error) if isinstance(error, (PamolaTaskError, OSError)) else type(error).__name__

    def trace(self, error):
        return "".join(traceback.format_tb(error.__traceback__)) + self.message(error)

    def remember(self, error):
        pass
