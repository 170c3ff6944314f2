"""Plugins: finding them, loading them, choosing the provider of a service, notifying observers."""
