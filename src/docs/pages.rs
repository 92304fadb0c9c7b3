//! docs/pages.md: every page of the admin port.

use std::collections::BTreeSet;
use std::path::Path;

use super::{assert_same, first_column, pages, read, section, sources};

/// What the router serves.
fn routes() -> BTreeSet<String> {
    let code = sources::code(Path::new("src/admin/mod.rs"));
    sources::literals(&code).into_iter().filter(|text| text.starts_with('/')).collect()
}

#[test]
fn every_page_is_documented_and_no_other() {
    let page = read("docs/pages.md");
    let routes = routes();
    assert!(routes.contains("/readyz") && routes.contains("/debug/proxies/{node}/dump"), "{routes:?}");
    let documented = first_column(section(&page, "## Each page"));
    let documented = documented.into_iter().map(|path| path.replace("NODE", "{node}")).collect();
    assert_same("docs/pages.md", &routes, &documented);
}

#[test]
fn texts_name_debug_pages_that_exist() {
    let routes = routes();
    let exists = |path: &str| {
        let path = path.trim_end_matches(['/', '.']);
        routes.iter().any(|route| route == path || route.starts_with(&format!("{path}/")))
            || routes.iter().any(|route| route.split_once('{').is_some_and(|(begin, _)| path.starts_with(begin)))
    };
    let code = sources::files().into_iter().flat_map(|file| {
        let name = file.display().to_string();
        sources::literals(&sources::code(&file)).into_iter().map(move |text| (name.clone(), text))
    });
    let mut seen = 0;
    for (file, text) in pages().into_iter().chain(code) {
        for part in text.split("/debug/").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || "/{}".contains(*c)).collect();
            let path = format!("/debug/{name}");
            seen += 1;
            // A name that is put in is none of a page.
            assert!(name.is_empty() || name.starts_with('{') || exists(&path), "{file} names {path}, which is no page");
        }
    }
    assert!(seen > 20, "{seen}");
}
