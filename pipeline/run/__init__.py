"""Running a recipe: from a mixture and a root to the corpus, step by step, redoing only what is not there yet."""
