"""Templates: compiled to skeletons and slots, rendered safely."""
