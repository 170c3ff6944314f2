"""A kind of service, and the hook by which what it sends is delivered."""

from pamola_tasks import hookspec


@hookspec
def acme_notified(run, text):
    """Deliver a message."""


class Notifier:
    def __init__(self, run):
        self.run = run

    def send(self, text):
        self.run.kernel.plugins.each("acme_notified", run=self.run, text=text)

    def close(self):
        self.run.logger.debug("no more messages")
