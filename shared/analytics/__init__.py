"""Events stored, and counters made of them exactly once."""
