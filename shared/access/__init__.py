"""Workspaces, API keys and sender domains."""
