"""What all workers and replicas know together, by way of a Redis that may be down."""
