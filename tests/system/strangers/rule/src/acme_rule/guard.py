"""The guard in use, and a rule: files that end in .pem are nobody's business."""

from pamola_tasks.errors import PathSecurityError


class NoKeys:
    def __init__(self, guard):
        self._guard = guard

    def __getattr__(self, name):
        return getattr(self._guard, name)

    def _allowed(self, name):
        if str(name).lower().endswith(".pem"):
            raise PathSecurityError(f"{name} is refused: private keys are not read or written by tasks")
        return name

    def extended(self, roots):
        return NoKeys(self._guard.extended(roots))

    def open(self, name, mode="rb"):
        return self._guard.open(self._allowed(name), mode)

    def create(self, name, *, exclusive=False, parents=True, mode=None):
        return self._guard.create(self._allowed(name), exclusive=exclusive, parents=parents, mode=mode)

    def replace(self, source, target):
        self._guard.replace(self._allowed(source), self._allowed(target))
