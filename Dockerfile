# docker build --tag barsync .
# docker run --rm --read-only --cap-drop ALL \
#   --volume ./config.toml:/etc/barsync/config.toml:ro --volume barsync:/srv/barsync/var barsync

ARG PYTHON=3.13-slim

# The builder: locked versions, each checked against its hash, then the project's own wheel.
# The environment it fills has no pip of its own.
FROM python:${PYTHON} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN ["python", "-m", "venv", "--without-pip", "/opt/barsync"]
COPY requirements/ requirements/
RUN ["python", "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements/build.txt"]
RUN ["python", "-m", "pip", "--python", "/opt/barsync/bin/python", "install", "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements/runtime.txt"]
COPY LICENSE README.md pyproject.toml ./
COPY src/ src/
RUN ["python", "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
RUN ["python", "-m", "pip", "--python", "/opt/barsync/bin/python", "install", "--no-index", "--no-deps", "--find-links", "dist", "barsync-async"]

# What runs: an interpreter and that environment; no compiler, no pip.
FROM python:${PYTHON}
LABEL org.opencontainers.image.title="barsync" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN ["python", "-m", "pip", "uninstall", "--yes", "--quiet", "--root-user-action", "ignore", "pip"]
COPY --from=builder /opt/barsync /opt/barsync
ENV PATH="/opt/barsync/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

# A config's relative paths (var/…) fall below here. All else may be mounted read-only.
# The owner is set before the volume is declared: a new volume takes it over.
WORKDIR /srv/barsync
RUN ["install", "--directory", "--owner=10001", "--group=10001", "--mode=0750", "var"]
VOLUME ["/srv/barsync/var"]
USER 10001:10001

# SIGTERM lets the daemon seal open slots and drain.
STOPSIGNAL SIGTERM

# Proves that the container's first process is barsync and is neither stopped nor a zombie. It
# proves nothing about feeds or sets. It costs an interpreter without its libraries: a daemon
# that keeps deadlines should not share its processor with a second copy of itself.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import sys; name = open('/proc/1/cmdline').read(); state = open('/proc/1/stat').read().rpartition(')')[2].split()[0]; sys.exit('barsync' not in name or state in 'TtZX')"]

ENTRYPOINT ["barsync"]
CMD ["run", "/etc/barsync/config.toml"]
