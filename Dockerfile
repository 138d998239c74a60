# The `gatehouse` program and OpenSSL: no simulator, no compiler, no shell of its own needed at run time.
#   docker build -t gatehouse .
# Runs as a user without rights, on a read-only root file system, and writes to no disk.

FROM rust:1.95.0-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends pkg-config libssl-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The image has the right compiler already; the queries were checked when .sqlx was written.
ENV RUSTUP_TOOLCHAIN=1.95.0 SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p gateway --bin gatehouse \
 && install -D target/release/gatehouse /out/gatehouse

FROM debian:bookworm-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Gatehouse" \
      org.opencontainers.image.description="Multi-tenant identity gateway: SAML and SCIM in, OpenID Connect out" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
RUN apt-get update \
 && apt-get install -y --no-install-recommends libssl3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/gatehouse /usr/local/bin/gatehouse
# 8080 is for everybody; 8081 (health, metrics) for those who run it: do not publish it.
ENV GATEHOUSE__SERVER__LISTEN=0.0.0.0:8080 GATEHOUSE__OPERATIONS__LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["gatehouse", "healthcheck"]
ENTRYPOINT ["gatehouse"]
CMD ["serve"]
