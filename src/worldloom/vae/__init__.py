"""The video autoencoder: encoder, decoder, losses, presets."""
