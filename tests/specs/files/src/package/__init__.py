"""A package of the source root."""
