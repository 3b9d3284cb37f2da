"""Published rule sets, one file each: the paper's threshold table first, then what measures it."""
