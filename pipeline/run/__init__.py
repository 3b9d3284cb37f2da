"""How a run happens: from a recipe and a root to the corpus, step by step, redoing only what is not there yet."""
