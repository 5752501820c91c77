# docker build -t ingestd .
# docker run -d --restart unless-stopped --name ingestd -p 127.0.0.1:5959:5959 -p 127.0.0.1:9600:9600 \
#     -v ingestd:/var/lib/ingestd -e INGESTD_HTTP_PASSWORD=... -e INGESTD_INDEX_TIMEZONE=Asia/Seoul \
#     --stop-timeout 35 ingestd
# INGESTD_INDEX_TIMEZONE: the zone of the site, in which days start; default UTC.
# With a Django site beside it: packaging/compose.
#
# The base, python:3.13.15-slim-trixie, is pinned by its digest. `docker buildx imagetools inspect python:3.13-slim`
# prints the latest one; to build from another image: --build-arg PYTHON_IMAGE=...
ARG PYTHON_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY packaging/requirements.txt packaging/build-requirements.txt packaging/
RUN python -m venv /opt/ingestd \
    && /opt/ingestd/bin/pip install --require-hashes --only-binary :all: -r packaging/requirements.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: -r packaging/build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY grok_patterns grok_patterns
COPY packaging/ingestd.service packaging/
COPY packaging/grafana/ingestd.json packaging/grafana/
COPY ingestd ingestd
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/ingestd/bin/pip install --no-index --no-deps /wheels/*.whl \
    && /opt/ingestd/bin/ingestd --help > /dev/null

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="ingestd" \
    org.opencontainers.image.description="Log ingestion daemon: takes over from Logstash, loses nothing" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.documentation="https://pypi.org/project/ingestd/"
RUN useradd --uid 10001 --home-dir /var/lib/ingestd --create-home --shell /usr/sbin/nologin ingestd
COPY --from=build /opt/ingestd /opt/ingestd
# Inside the container it listens on all addresses: which of them the world sees is decided by -p. The dashboard
# then wants a password or a token, INGESTD_HTTP_PASSWORD or INGESTD_HTTP_PASSWORD_FILE.
ENV PATH=/opt/ingestd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    INGESTD_DATA_DIR=/var/lib/ingestd \
    INGESTD_HOST=0.0.0.0 \
    INGESTD_HTTP=0.0.0.0:9600
USER 10001
WORKDIR /var/lib/ingestd
VOLUME /var/lib/ingestd
EXPOSE 5959 9600
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 CMD ["ingestd", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["ingestd"]
CMD ["run"]
