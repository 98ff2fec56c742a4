"""A gateway in a process of its own, whose leases of responses in the background are shorter than the product's."""

from tests.support.replica import serve_replica

from gemgate.api.responses import background, background_run


def main() -> None:
    """Serve; the address is written to the standard output."""
    background_run.LEASE = 3.0
    background_run.RENEW_SECONDS = 0.3
    background_run.FLUSH_SECONDS = 0.05
    background.FOLLOW_SECONDS = 0.05
    background.REAP_SECONDS = 0.3
    serve_replica()


if __name__ == "__main__":
    main()
