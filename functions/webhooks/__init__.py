"""Takes in the ESPs' events."""
