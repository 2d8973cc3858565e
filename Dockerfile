# The image holds the static binary, the CA roots and the name of a user; nothing else, no shell. `make image` builds and
# tries out the last stage; here the binary is compiled as well: docker build -t qix-proxy .

FROM docker.io/library/rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    deploy/image/rootfs /rootfs

FROM scratch
LABEL org.opencontainers.image.title="qix-proxy" \
      org.opencontainers.image.description="Reverse proxy for the Qlik engine websocket" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /rootfs/ /
USER 65532:65532
# The public door and the operators'. In a container the config has to open them beyond loopback: address = "0.0.0.0:8080".
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/qix-proxy", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/qix-proxy"]
CMD ["run", "--config", "/etc/qix-proxy/qix-proxy.toml"]
