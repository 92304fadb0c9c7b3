//! Which Envoy a client is, by its node, and what an old one lacks.

use std::fmt;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;

/// The oldest Envoy that does everything that it is sent. What was fixed in it, by its release notes (envoyproxy/envoy,
/// changelogs/1.38.0.yaml, "bug fixes"), is in use here: scoped routes of listeners that are added after the start never arrived
/// (`scoped_rds`), on-demand scopes with inline routes ended the process (`router`), and clusters fetched by the TCP proxy
/// over ADS did not come in some cases (`odcds`). Virtual hosts over ADS (envoyproxy/envoy#41996, #42812) are rejected by
/// 1.36 and taken by 1.38 and 1.40, as was seen; 1.37 was not tried.
pub const LEAST: Version = Version { major: 1, minor: 38, patch: 0 };
/// The oldest one that repeats requests: `retry_policy` and `hash_policy` of `HttpProtocolOptions` are new in it
/// (changelogs/1.37.0.yaml, "router"). 1.36 ignores them as unknown fields, without a message, as was seen.
const LEAST_WITH_RETRIES: Version = Version { major: 1, minor: 37, patch: 0 };

/// `node.user_agent_name` of Envoy. Other clients count their versions in other ways.
const ENVOY: &str = "envoy";

/// A release of Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Version {
    /// By `user_agent_build_version`, which Envoy sends, or `user_agent_version`. `None`: no Envoy, or it sends no version.
    pub(super) fn of(node: &Node) -> Option<Self> {
        if !node.user_agent_name.eq_ignore_ascii_case(ENVOY) {
            return None;
        }
        match node.user_agent_version_type.as_ref()? {
            UserAgentVersionType::UserAgentBuildVersion(build) => {
                let version = build.version.as_ref()?;
                Some(Self { major: version.major_number, minor: version.minor_number, patch: version.patch })
            }
            UserAgentVersionType::UserAgentVersion(text) => Self::parse(text),
        }
    }

    /// `1.38.0`, `v1.38`, `1.38.0-dev`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').splitn(3, '.');
        let number = |part: Option<&str>| {
            let digits = part?.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u32>().ok()
        };
        Some(Self {
            major: number(parts.next())?,
            minor: number(parts.next())?,
            patch: number(parts.next()).unwrap_or_default(),
        })
    }

    /// What an Envoy of this version does not do; `None`: it is new enough.
    pub fn lacks(self) -> Option<String> {
        let why = match self {
            version if version >= LEAST => return None,
            version if version >= LEAST_WITH_RETRIES => {
                "routes of listeners that are added later and clusters that TCP connections fetch may never arrive"
            }
            _ => {
                "it repeats no requests and keeps no sessions, because it passes over the retry and hash policies of clusters"
            }
        };
        Some(format!("Envoy {self} is older than {}.{}: {why}; update it", LEAST.major, LEAST.minor))
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::BuildVersion;
    use envoy_types::pb::envoy::r#type::v3::SemanticVersion;

    use super::*;

    fn envoy(version: UserAgentVersionType) -> Node {
        Node { user_agent_name: ENVOY.to_owned(), user_agent_version_type: Some(version), ..Node::default() }
    }

    fn built(major_number: u32, minor_number: u32, patch: u32) -> Node {
        let version = Some(SemanticVersion { major_number, minor_number, patch });
        envoy(UserAgentVersionType::UserAgentBuildVersion(BuildVersion { version, metadata: None }))
    }

    #[test]
    fn versions_are_read_in_both_forms_and_of_envoys_only() {
        let parsed = |text: &str| Version::of(&envoy(UserAgentVersionType::UserAgentVersion(text.to_owned())));
        let some = |major, minor, patch| Some(Version { major, minor, patch });
        assert_eq!(Version::of(&built(1, 40, 0)), some(1, 40, 0));
        assert_eq!(parsed("1.36.4"), some(1, 36, 4));
        assert_eq!(parsed("v1.38"), some(1, 38, 0));
        assert_eq!(parsed("1.39.0-dev"), some(1, 39, 0));
        for odd in ["", "1", "x.y.z", "99999999999.1.1", "main"] {
            assert_eq!(parsed(odd), None, "{odd:?}");
        }
        let grpc = Node { user_agent_name: "gRPC C-core linux".to_owned(), ..built(1, 30, 0) };
        assert_eq!(Version::of(&grpc), None);
        assert_eq!(Version::of(&Node::default()), None);
    }

    #[test]
    fn old_ones_lack_something() {
        let lacks = |minor| Version { major: 1, minor, patch: 9 }.lacks();
        assert!(lacks(36).is_some_and(|text| text.contains("Envoy 1.36.9 is older than 1.38: it repeats no requests")));
        assert!(lacks(37).is_some_and(|text| text.contains("Envoy 1.37.9 is older than 1.38: routes of listeners")));
        assert_eq!((lacks(38), lacks(40)), (None, None));
        assert!(Version { major: 0, minor: 99, patch: 0 }.lacks().is_some());
        assert!(Version { major: 2, minor: 0, patch: 0 }.lacks().is_none());
    }
}
