"""Advances warm-ups and writes quotas."""
