//! The Envoy of docs/proxies.md with the TLS of docs/tls.md, taken from there word for word.

use std::path::{Path, PathBuf};

const PROXIES: &str = include_str!("../../../docs/proxies.md");
const TLS: &str = include_str!("../../../docs/tls.md");
/// The line of the bootstrap that docs/tls.md fills.
const PLACE: &str = "    # transport_socket: see tls.md; without it, only a plaintext port (--xds) can be reached\n";

/// Files for an Envoy in this folder; the bootstrap is what comes back. `certificates` holds `tls.crt`, `tls.key` and
/// `ca.crt`, as a mounted Secret does. Changed are the folders, and in `node` what says which pod it is.
pub fn files(folder: &Path, certificates: &Path, node: &[(&str, &str)]) -> PathBuf {
    let here = |text: &str| {
        text.replace("/etc/isthmus-tls", &certificates.display().to_string())
            .replace("/etc/envoy", &folder.display().to_string())
    };
    let socket = yaml(TLS, "    transport_socket:\n");
    let bootstrap = yaml(PROXIES, "node:\n");
    assert!(bootstrap.contains(PLACE), "docs/proxies.md says where docs/tls.md belongs");
    let mut bootstrap = here(&bootstrap.replace(PLACE, &socket));
    for (from, to) in node {
        assert_eq!(bootstrap.matches(from).count(), 1, "docs/proxies.md: {from}");
        bootstrap = bootstrap.replace(from, to);
    }
    for name in ["own.yaml", "isthmus.yaml"] {
        let text = here(&yaml(TLS, &format!("# /etc/envoy/{name}\n")));
        std::fs::write(folder.join(name), text).unwrap();
    }
    let file = folder.join("bootstrap.yaml");
    std::fs::write(&file, bootstrap).unwrap();
    file
}

/// The block of YAML that begins with these words.
fn yaml(page: &str, begins: &str) -> String {
    let start = format!("```yaml\n{begins}");
    let at = page.find(&start).unwrap_or_else(|| panic!("no block begins with {begins:?}"));
    let text = &page[at + "```yaml\n".len()..];
    text[..text.find("```").expect("its end")].to_owned()
}
