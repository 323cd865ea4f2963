"""Measurement: prompt truth, motion, and the judges behind the numbers."""
