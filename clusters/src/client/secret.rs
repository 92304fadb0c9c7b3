//! Bytes that must never be printed: the raw kubeconfig as its Secret holds it.

use std::fmt;
use std::sync::Arc;

/// The content of one key of a Secret. It can be compared and parsed; it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Arc<[u8]>);

impl SecretBytes {
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} secret bytes]", self.0.len())
    }
}

/// What a process does in members, and so which of a member's credentials it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It writes mirrors: the Secret of `spec.kubeconfigSecretRef`.
    Write,
    /// It only reads: the Secret of `spec.readKubeconfigSecretRef`, and the other one where that is left out.
    Read,
}

/// Where a member's credential is, as `spec.kubeconfigSecretRef` or `spec.readKubeconfigSecretRef` says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    pub name: Arc<str>,
    pub key: Arc<str>,
}

/// A member's credential as the hub holds it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The hub's Secrets were not listed yet: nothing is known, and nothing is reported.
    Unknown,
    /// There is none; the text says which Secret or key was looked for.
    Missing(Arc<str>),
    /// Here it is; `place` names the Secret and key for messages.
    Present { place: Arc<str>, kubeconfig: SecretBytes },
}
