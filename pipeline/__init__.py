"""The machinery of a run: configuration, addresses, files, tasks, engines, the command line."""
