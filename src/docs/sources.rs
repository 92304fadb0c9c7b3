//! The code as text: its string literals without tests and comments.

use std::path::{Path, PathBuf};

use super::root;

/// All files of the product's own code, without those of tests.
pub(super) fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["src", "clusters/src", "regions/src", "federation/src", "programs/src"] {
        collect(&root().join(folder), &mut found);
    }
    found.sort();
    assert!(found.len() > 100, "there are more files than {}", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the code") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let tests = ["tests", "tests.rs", "testing", "testing.rs", "docs"].contains(&name.as_str());
        match path.is_dir() {
            true if !tests => collect(&path, found),
            false if !tests && name.ends_with(".rs") => found.push(path),
            _ => {}
        }
    }
}

/// A file's code before its tests.
pub(super) fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

/// The texts between quotes on lines that are no comments. Escaped quotes end none; a text of several lines is one.
pub(super) fn literals(code: &str) -> Vec<String> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let (mut found, mut text, mut inside, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in code.replace("'\"'", "").chars() {
        match (inside, escaped, c) {
            (true, true, c) => {
                // The end of a line goes on without a break.
                text.extend(if c == 'n' { Some('\n') } else { Some(c).filter(|c| *c != '\n') });
                escaped = false;
            }
            (true, false, '\\') => escaped = true,
            (_, _, '"') if inside => {
                found.push(std::mem::take(&mut text));
                inside = false;
            }
            (false, _, '"') => inside = true,
            (true, _, c) => text.push(c),
            _ => {}
        }
    }
    found
}

#[test]
fn literals_are_found_where_they_are() {
    let code = "// \"not this\"\nlet a = \"one\"; let q = '\"'; let b = \"two \\\"x\\\" \\\n   more\";\n/// `\"no\"`\n";
    assert_eq!(literals(code), ["one", "two \"x\"    more"]);
}
