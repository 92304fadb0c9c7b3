//! The folder where things fetched or built once are kept between runs.
//!
//! Nothing in it is needed: deleting it costs only the time to make it again.

use std::path::PathBuf;

/// Overrides the cache folder.
pub const CACHE_VAR: &str = "ISTHMUS_CACHE";

/// `$ISTHMUS_CACHE`, or `isthmus` in the user's cache folder as the XDG base
/// directory specification names it. `None` if there is neither a variable nor
/// a home folder.
#[must_use]
pub fn root() -> Option<PathBuf> {
    root_from(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
}

fn root_from(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // The specification says to ignore relative values of its own variables.
    var(CACHE_VAR)
        .or_else(|| var("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("isthmus")))
        .or_else(|| var("HOME").map(|home| home.join(".cache").join("isthmus")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::root_from;

    fn root_with(vars: &[(&str, &str)]) -> Option<PathBuf> {
        root_from(|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value)))
    }

    #[test]
    fn the_most_specific_variable_wins() {
        let all = [("ISTHMUS_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(root_with(&all), Some("/c".into()));
        assert_eq!(root_with(&all[1..]), Some("/x/isthmus".into()));
        assert_eq!(root_with(&all[2..]), Some("/h/.cache/isthmus".into()));
        assert_eq!(root_with(&[]), None);
    }

    #[test]
    fn a_relative_xdg_folder_is_ignored() {
        assert_eq!(root_with(&[("XDG_CACHE_HOME", "x"), ("HOME", "/h")]), Some("/h/.cache/isthmus".into()));
    }
}
