//! Why a kubeconfig was refused, and the bounds that the texts name.

/// Largest kubeconfig accepted, in bytes. Real ones have 2–10 KB; a Secret may hold 1 MiB.
pub const MAX_KUBECONFIG_BYTES: usize = 256 * 1024;
/// YAML nodes accepted: a kubeconfig of a hundred contexts has about two thousand.
pub(super) const MAX_YAML_NODES: usize = 10_000;
/// Deepest YAML nesting accepted; kubeconfigs need four, extensions a few more.
pub(super) const MAX_YAML_DEPTH: usize = 16;

/// Why a kubeconfig was refused. Texts name fields and places, never content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    #[error("the kubeconfig has {found} bytes; expected at most {MAX_KUBECONFIG_BYTES}")]
    TooLarge { found: usize },
    #[error("the kubeconfig is not UTF-8 text")]
    NotText,
    #[error("the kubeconfig cannot be read as YAML{}", at(.line_column))]
    NotYaml { line_column: Option<(u64, u64)> },
    #[error("the kubeconfig has a field twice{}; expected each once", at(.line_column))]
    Twice { line_column: Option<(u64, u64)> },
    #[error(
        "the kubeconfig is more than is read of one{}; expected one document of at most {MAX_YAML_NODES} values and \
         {MAX_YAML_DEPTH} levels, without anchors, aliases and merge keys: write their values out",
        at(.line_column)
    )]
    Beyond { line_column: Option<(u64, u64)> },
    #[error("the kubeconfig's {field} is refused: {why}")]
    Refused { field: String, why: &'static str },
    #[error("the kubeconfig's {field} cannot be used; expected {expected}")]
    Invalid { field: String, expected: &'static str },
}

fn at(line_column: &Option<(u64, u64)>) -> String {
    line_column.map_or_else(String::new, |(line, column)| format!(" (line {line}, column {column})"))
}

pub(super) fn invalid(field: impl Into<String>, expected: &'static str) -> KubeconfigError {
    KubeconfigError::Invalid { field: field.into(), expected }
}
