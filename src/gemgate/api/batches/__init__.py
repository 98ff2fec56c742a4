"""`/batches`: many requests in one file, run by Google within a day at half the price."""
