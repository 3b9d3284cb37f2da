"""The stages that documents pass: one module per product, pure functions over Arrow batches."""
