"""Commands for those who work on the project: what the documentation lists, and offline training."""
