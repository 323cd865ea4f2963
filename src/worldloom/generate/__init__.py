"""A request becomes a clip: what is asked for, the canvas it becomes, and the models that paint it."""
