"""Files under a root: storage, addresses, manifests, snapshots, key indices, locks. Knows no product by name."""
