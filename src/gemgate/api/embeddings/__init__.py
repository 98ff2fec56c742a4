"""`POST /v1/embeddings`, translated to `batchEmbedContents`."""
