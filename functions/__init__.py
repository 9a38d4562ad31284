"""The eight Lambda functions: thin handlers, and wiring."""
