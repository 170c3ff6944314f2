"""Logs of the project and of each task, rotated by size, as text or JSON lines."""
