"""Supervised fastText models on many texts: features, their mean, and probabilities of labels."""
