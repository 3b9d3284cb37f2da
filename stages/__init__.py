"""What happens to documents: one module per product, pure functions over Arrow batches."""
