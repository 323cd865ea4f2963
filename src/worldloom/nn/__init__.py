"""Layers without opinions: attention, rope, modulation, patchify, causal convolution."""
