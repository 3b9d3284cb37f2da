"""Files under a root: storage, addresses, manifests, key indices, costs, locks. Knows no product by name."""
