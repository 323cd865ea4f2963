"""The mathematics of flow matching, free of models: path, timestep, schedule, sampler, guidance."""
