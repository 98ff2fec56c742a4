# gemgate as a container: one process, no root, nothing to write to but /data.
#
#     docker build -t gemgate .
#     docker run --rm -p 127.0.0.1:8080:8080 gemgate
#
# The tag follows Python's and Debian's security releases, so rebuild regularly; to get the same bytes each time, pin the
# base by digest: --build-arg BASE=python:3.14-slim-trixie@sha256:...
ARG BASE=python:3.14-slim-trixie

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The libraries first: this layer is rebuilt only when the lock file changes. Every one has a wheel, so the image needs
# no compiler. The lock file includes the emulator's libraries (25 of 155 MB, nearly all Pillow) and those of tracing (12):
# the image also runs `gemgate serve --emulator` for other people's tests, and traces if GEMGATE_TRACING is set; and there
# is one lock file to keep instead of several.
COPY requirements/run.txt ./
RUN python -m venv --without-pip /opt/gemgate \
    && python -m pip --python /opt/gemgate/bin/python install --require-hashes --only-binary :all: --requirement run.txt

COPY docker/build.txt ./
RUN python -m pip install --require-hashes --only-binary :all: --requirement build.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m pip --python /opt/gemgate/bin/python install --no-deps dist/*.whl \
    && python -m pip --python /opt/gemgate/bin/python check

# A bill of materials in CycloneDX's format, to look for vulnerable libraries in the image.
RUN python -m cyclonedx_py environment --output-reproducible --output-file /opt/gemgate/sbom.cdx.json /opt/gemgate/bin/python


FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="gemgate" \
      org.opencontainers.image.description="A gateway that serves the OpenAI API and speaks the native Gemini API to Google." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# By number, so that Kubernetes' runAsNonRoot can verify that it is not root.
# OpenShift runs it as another user, of the group 0.
RUN install --directory --owner 10001 --group 0 --mode 0770 /data
COPY --from=build /opt/gemgate /opt/gemgate

# On 0.0.0.0, because only the container itself can reach its loopback. With GEMINI_API_KEY set, the gateway then also asks
# for GEMGATE_CLIENT_KEYS and does not start without: see docker/README.md.
ENV PATH=/opt/gemgate/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GEMGATE_HOST=0.0.0.0 \
    GEMGATE_PORT=8080 \
    GEMGATE_DATA_DIR=/data
WORKDIR /opt/gemgate
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8080

# http.client, because urllib costs four times as much to start and obeys HTTP_PROXY. `localhost` is IPv4 and IPv6.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('localhost', int(os.environ['GEMGATE_PORT']), timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]

# In exec form: the gateway itself is process 1 and gets SIGTERM. It then lets running answers end, for at most
# GEMGATE_SHUTDOWN_TIMEOUT (30 s); give the container a little longer: docker run --stop-timeout 40.
ENTRYPOINT ["gemgate"]
CMD ["serve"]
