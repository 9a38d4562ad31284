"""Campaigns on the local cloud while everything that can break does; see docs/chaos.md."""
