"""Subscribers, lists, consent and suppression."""
