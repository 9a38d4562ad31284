"""Turns the event stream into counters and suppressions."""
