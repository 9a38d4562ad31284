"""Every minute: release, recover, settle."""
