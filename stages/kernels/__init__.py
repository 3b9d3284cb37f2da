"""Arithmetic over Arrow buffers: (data, offsets) in, numbers out. Knows neither files nor Ray."""
