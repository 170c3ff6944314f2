"""Starts projects, tasks, operations, plugins and packs from templates."""
