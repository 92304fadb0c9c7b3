//! The certificate as files. They are read every few seconds rather than watched: whatever replaces them (a rename, a
//! symbolic link as kubelets set it, a write in place) is noticed the same way, and on every file system.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clusters::client::secret::SecretBytes;
use clusters::problem::ObjectName;
use tokio::io::AsyncReadExt;

use super::keeper::Keeper;
use super::material::{Fields, MAX_BYTES, Material, Unusable};

/// How often files are looked at.
pub const POLL: Duration = Duration::from_secs(5);
/// Looks until two in a row see the same.
const MAX_LOOKS: usize = 4;

const FIELDS: Fields = Fields { cert: "--tls-cert", key: "--tls-key", client_ca: "--tls-client-ca" };

pub(super) struct Files {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: Option<PathBuf>,
}

impl Files {
    pub(super) fn object(&self) -> ObjectName {
        ObjectName::new("TLS file", None, &self.cert.display().to_string())
    }

    pub(super) async fn follow(self, mut keeper: Keeper) {
        loop {
            tokio::time::sleep(POLL).await;
            let _ = keeper.offer(self.read().await); // the problem is reported already
        }
    }

    /// All files as they are at one moment: what replaces them may be half-way between two of them.
    pub(super) async fn read(&self) -> Result<Material, Unusable> {
        let mut before = self.look().await;
        for _ in 1..MAX_LOOKS {
            let now = self.look().await;
            if now == before {
                break;
            }
            before = now;
        }
        before
    }

    async fn look(&self) -> Result<Material, Unusable> {
        let cert = read(FIELDS.cert, &self.cert).await?;
        let key = SecretBytes::new(read(FIELDS.key, &self.key).await?);
        let client_ca = match &self.client_ca {
            Some(file) => Some(read(FIELDS.client_ca, file).await?),
            None => None,
        };
        Ok(Material { cert, key, client_ca, fields: FIELDS })
    }
}

async fn read(field: &'static str, file: &Path) -> Result<Vec<u8>, Unusable> {
    let unusable = |found: &dyn std::fmt::Display| Unusable {
        field,
        found: format!("{}: {found}", file.display()),
        expected: "a file that can be read, of 1 MiB at most",
    };
    let open = tokio::fs::File::open(file).await.map_err(|error| unusable(&error))?;
    let mut bytes = Vec::new();
    let read = open.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).await;
    match read {
        Ok(_) if bytes.len() <= MAX_BYTES => Ok(bytes),
        Ok(_) => Err(unusable(&"more than that")),
        Err(error) => Err(unusable(&error)),
    }
}
