//! Which nodes a request is about.

use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{NodeMatcher, StringMatcher};
use tonic::Status;

/// Matchers in one request.
const MAX_MATCHERS: usize = 1_000;

/// Matches nodes by id. Matchers that are not supported are refused, because ignoring one would show too much.
#[derive(Debug)]
pub(super) struct Matcher(Vec<Option<Pattern>>);

#[derive(Debug)]
struct Pattern {
    kind: Kind,
    text: String,
    ignore_case: bool,
}

#[derive(Debug)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    Contains,
}

impl Matcher {
    pub(super) fn new(matchers: Vec<NodeMatcher>) -> Result<Self, Status> {
        if matchers.len() > MAX_MATCHERS {
            let found = matchers.len();
            return Err(Status::invalid_argument(format!(
                "`node_matchers` has {found} entries; expected at most {MAX_MATCHERS}"
            )));
        }
        matchers.into_iter().map(pattern).collect::<Result<_, _>>().map(Self)
    }

    /// Any of the matchers will do; without any, every node matches.
    pub(super) fn matches(&self, node: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.as_ref().is_none_or(|pattern| pattern.matches(node)))
    }
}

fn pattern(matcher: NodeMatcher) -> Result<Option<Pattern>, Status> {
    if !matcher.node_metadatas.is_empty() {
        return Err(Status::unimplemented(
            "`node_matchers.node_metadatas` is not supported, because metadata is not kept; expected `node_id` only",
        ));
    }
    let Some(StringMatcher { ignore_case, match_pattern }) = matcher.node_id else { return Ok(None) };
    let (kind, text) = match match_pattern {
        Some(MatchPattern::Exact(text)) => (Kind::Exact, text),
        Some(MatchPattern::Prefix(text)) => (Kind::Prefix, text),
        Some(MatchPattern::Suffix(text)) => (Kind::Suffix, text),
        Some(MatchPattern::Contains(text)) => (Kind::Contains, text),
        _ => {
            return Err(Status::unimplemented(
                "`node_matchers.node_id` has a pattern of another kind; expected `exact`, `prefix`, `suffix` or `contains`",
            ));
        }
    };
    let text = if ignore_case { text.to_ascii_lowercase() } else { text };
    Ok(Some(Pattern { kind, text, ignore_case }))
}

impl Pattern {
    fn matches(&self, node: &str) -> bool {
        if self.ignore_case { self.test(&node.to_ascii_lowercase()) } else { self.test(node) }
    }

    fn test(&self, node: &str) -> bool {
        let text = &*self.text;
        match self.kind {
            Kind::Exact => node == text,
            Kind::Prefix => node.starts_with(text),
            Kind::Suffix => node.ends_with(text),
            Kind::Contains => node.contains(text),
        }
    }
}
