"""Commands that make something for later runs: thresholds, classifiers, tokenizers, mixtures."""
