"""Whether requests are traced: what needs the optional packages is imported here, and only when it is asked for."""

from typing import TYPE_CHECKING

from gemgate.settings import Settings, trace_exporters

if TYPE_CHECKING:
    from gemgate.observability.tracing import Tracing


class TracingError(Exception):
    """Tracing is asked for, and a package for it is not installed; the text says which."""


def tracing_of(settings: Settings) -> "Tracing | None":
    """What makes the spans; None where nobody wants any.

    Raises:
        TracingError: a package is missing.
    """
    if not settings.tracing:
        return None
    check_tracing(settings)
    from gemgate.observability.tracing import Tracing

    return Tracing.from_environment(settings.origin, trace_exporters())


def check_tracing(settings: Settings) -> None:
    """Do nothing, if what the settings ask for is installed.

    Raises:
        TracingError: a package is missing.
    """
    if not settings.tracing:
        return
    try:
        from gemgate.observability.tracing import exporter_named
    except ModuleNotFoundError as error:
        msg = f"GEMGATE_TRACING needs the package {error.name}: pip install 'gemgate[otel]'"
        raise TracingError(msg) from error
    for name in trace_exporters():
        if exporter_named(name) is None:
            package = f"opentelemetry-exporter-{name.replace('_', '-')}"
            raise TracingError(f"OTEL_TRACES_EXPORTER asks for {name}, which is not installed: pip install {package}")
