"""Questions to a root, a file a command: they read what stands there, and never start an engine."""
