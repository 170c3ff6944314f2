"""Plugins: finding them, loading them, choosing who answers a service, telling observers."""
