"""How a run happens: configuration, addresses, files, tasks, engines, the command line."""
