"""Training: one documented configuration class, one engine, events as JSON lines."""
