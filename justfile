# Recipes for working on Isthmus; see CONTRIBUTING.md. `just` lists them.

_default:
    @just --list

# Compile everything, tests included
build:
    cargo build --workspace --all-targets --locked

# All tests, on real API servers and Envoys
test:
    cargo test --workspace

# Unit tests of one crate: federation, clusters, regions, wire, programs or isthmus
unit crate *filter:
    cargo test --package {{crate}} --lib -- {{filter}}

# Integration tests whose name contains the filter, such as kube::mirroring
it filter:
    cargo test --test it -- {{filter}}

# Format, and lints as errors
lint:
    cargo fmt --all
    cargo clippy --workspace --all-targets --locked -- --deny warnings

# Which crate and module may import from which
walls:
    .ci/walls

# Words that do not belong into comments, messages and pages
words *paths:
    .ci/words {{paths}}

# Write the pages that are made from the code
docs:
    ISTHMUS_WRITE_DOCS=1 cargo test --package isthmus --lib docs

# Three regions, four clusters, real Envoys, failures on a timetable
demo:
    cargo run --profile demo --no-default-features -- demo

# Load a control plane; the arguments are those of isthmus bench
bench *args:
    cargo run --release -- bench {{args}}
