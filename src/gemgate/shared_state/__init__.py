"""What workers and replicas share by way of a Redis that may be down."""
