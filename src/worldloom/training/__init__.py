"""Trainer, objectives, optimizer, average of weights, data-parallel runs."""
