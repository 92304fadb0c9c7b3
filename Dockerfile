# The image that `isthmus manifests --image …` runs:
#
#     docker build -t registry.example/mesh/isthmus:1.2.3 . && docker push registry.example/mesh/isthmus:1.2.3
#
# tests/cli/image.rs compares what is said here with the manifests and with the binary.
FROM docker.io/library/rust:1.95.0-bookworm AS build
# The toolchain that this image has. rust-toolchain.toml would have rustup download parts of it that a build does not use.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
# The only step that uses the network: the crates of Cargo.lock, each checked against its hash there.
RUN cargo fetch --locked
RUN cargo build --frozen --release --bin isthmus

# glibc and libgcc, a user, and nothing else: no shell, no package manager. Same Debian as above, for the same glibc.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/isthmus /usr/local/bin/isthmus
USER 65532:65532
EXPOSE 15012 15021
ENTRYPOINT ["/usr/local/bin/isthmus"]
