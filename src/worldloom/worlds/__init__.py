"""Simulated worlds on MuJoCo: engine, look, families, captions, truth."""
