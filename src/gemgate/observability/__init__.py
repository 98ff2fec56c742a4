"""What operators see of each request: metrics, log lines, traces, costs."""
