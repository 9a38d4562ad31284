"""Everything the functions share, subdivided by domain."""
