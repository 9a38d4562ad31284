"""Raising a provider's daily volume step by step."""
