# docker build -t ingestd .
# docker run -p 127.0.0.1:5959:5959 -p 127.0.0.1:9600:9600 -v ingestd:/var/lib/ingestd \
#     -e INGESTD_HTTP_PASSWORD=... --stop-timeout 35 ingestd
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md ./
COPY grok_patterns grok_patterns
COPY ingestd ingestd
RUN python -m venv /opt/ingestd \
    && /opt/ingestd/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[geoip]' \
    && /opt/ingestd/bin/ingestd --help > /dev/null

FROM python:${PYTHON_VERSION}-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/ingestd --create-home --shell /usr/sbin/nologin ingestd
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
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9600/health/ready', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["ingestd"]
CMD ["run"]
