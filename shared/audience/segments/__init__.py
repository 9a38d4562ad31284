"""Segments: who a rule is true of, when, and as whom a campaign may have them."""
