"""What a supervised fastText model says of texts: features, their mean, and probabilities of labels."""
