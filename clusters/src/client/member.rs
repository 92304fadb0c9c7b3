//! A connected member's client, and what its API server wrote made fit for people.

use std::fmt;

use federation::model::ClusterUid;

use crate::foreign::Secrets;

/// Longest text taken over from a member's API server, in bytes.
pub const MAX_FOREIGN_TEXT: usize = 300;

/// A connected member's client.
#[derive(Clone)]
pub struct MemberClient {
    pub client: kube::Client,
    pub uid: ClusterUid,
    secrets: Secrets,
}

impl MemberClient {
    pub fn new(client: kube::Client, uid: ClusterUid, secrets: Secrets) -> Self {
        Self { client, uid, secrets }
    }

    /// Makes a text that the member's API server wrote fit for people: one line, bounded, and without the credential,
    /// which a hostile server could send back to have it shown.
    pub fn scrub(&self, text: &str) -> String {
        scrub(text, &self.secrets)
    }

    /// Recognises the credential that the member's API server is sent.
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }
}

impl fmt::Debug for MemberClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberClient").field("uid", &self.uid).finish_non_exhaustive()
    }
}

fn scrub(text: &str, secrets: &Secrets) -> String {
    let text = secrets.scrub(text);
    let mut out = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if out.len() + c.len_utf8() > MAX_FOREIGN_TEXT {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_have_the_token_shown() {
        let secrets = Secrets::new([&b"s3cr3t-t0ken"[..]]);
        let text = scrub("you sent\nBearer s3cr3t-t0ken!", &secrets);
        assert_eq!(text, "you sent Bearer [redacted]!");
        assert!(scrub(&"é".repeat(1000), &Secrets::default()).len() <= MAX_FOREIGN_TEXT + '…'.len_utf8());
    }
}
