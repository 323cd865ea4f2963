"""The diffusion transformer: block, model, presets."""
