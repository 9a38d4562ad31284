"""What recipients reach: unsubscribe pages."""
