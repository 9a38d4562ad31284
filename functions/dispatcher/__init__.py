"""Sends the chunks."""
