"""A toy for every service, and a kind of service of its own."""
