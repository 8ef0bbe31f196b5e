"""The warehouse: which tables it has, how they are built from a manifest, and how a snapshot of them is published."""
