"""Training data: manifest, shard, dataset, bucket, loader."""
