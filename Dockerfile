# syntax=docker/dockerfile:1
# The server in a container. A host starts it and speaks over stdin and stdout:
#
#   docker build -t mtu-mcp .
#   docker run -i --rm -e MTU_API_KEY -v "$PWD:/files:ro" -v mtu-data:/data mtu-mcp
#
# No key is built in; it comes with `-e` or `--env-file` when it runs.

FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
RUN python -m venv /opt/mtu \
    && /opt/mtu/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="mtu-mcp" \
      org.opencontainers.image.description="An MCP server for the models behind the Mtu API." \
      org.opencontainers.image.licenses="MIT AND OFL-1.1" \
      io.modelcontextprotocol.server.name="ai.mtuo/mtu-mcp"

# /data holds what is made and remembered, /files what may be sent; neither is anybody's home. The server runs as a
# user that owns /data and nothing else.
RUN useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin mtu \
    && install --directory --owner=mtu --group=mtu --mode=700 /data \
    && install --directory /files
COPY --from=build /opt/mtu /opt/mtu

ENV PATH="/opt/mtu/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    XDG_DATA_HOME=/data \
    MTU_ALLOWED_DIRS=/files \
    MTU_OUTPUT_DIR=/data/media
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]

# Builds the server and lists its tools, with no key and no network; what an orchestrator can ask of a program that
# listens nowhere. stdin is closed for it, or it would take the host's.
HEALTHCHECK --interval=5m --timeout=20s --start-period=5s --retries=3 \
    CMD ["sh", "-c", "exec mtu-mcp call </dev/null >/dev/null"]

ENTRYPOINT ["mtu-mcp"]
# HTTP: a published port does not reach the container's loopback, so it takes `serve --transport http --host 0.0.0.0`,
# which starts only with MTU_SERVER_TOKENS or a token issuer, since others could reach it then.
EXPOSE 8000
CMD ["serve"]
