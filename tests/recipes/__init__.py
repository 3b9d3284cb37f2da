"""The recipes of CONTRIBUTING.md, carried out on a copy: what they name is all that has to be touched."""
