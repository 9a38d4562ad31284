"""The demo: a campaign to made-up people, from a CSV to counted opens."""
