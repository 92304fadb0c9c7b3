//! Each slip in the hub's kubeconfig is named with its field, and nothing of its content is repeated.

use std::fmt::Write as _;

use super::*;

const TOKEN: &str = "c2VjcmV0LXRva2Vu";

/// A kubeconfig of which a part is replaced.
fn with(part: &str, by: &str) -> String {
    let whole = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: hub\nclusters:\n- name: hub\n  cluster: {{server: 'https://127.0.0.1:1'}}\n\
         users:\n- name: admin\n  user: {{token: {TOKEN}}}\ncontexts:\n- name: hub\n  context: {{cluster: hub, user: admin}}\n"
    );
    assert!(whole.contains(part), "{part}");
    whole.replace(part, by)
}

async fn error_of(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hub.yaml");
    std::fs::write(&file, text).expect("write it");
    let error = from_file(&file, None).await.expect_err(text);
    assert!(!error.contains(TOKEN), "{error}");
    let rest = error.strip_prefix(&format!("{}: ", file.display()));
    rest.unwrap_or_else(|| panic!("{error} does not begin with the file")).to_owned()
}

#[tokio::test]
async fn every_slip_in_the_hubs_kubeconfig_is_named() {
    let server = "server: 'https://127.0.0.1:1'";
    let many = |n: usize| {
        (0..n).fold(String::new(), |mut all, _| {
            let _ = write!(all, "[");
            all
        })
    };
    for (text, says) in [
        (String::new(), "current-context is missing; expected the name of one of its contexts: it has no contexts"),
        ("- a\n- b\n".to_owned(), "cannot be read as a kubeconfig (line 1"),
        (
            with("current-context: hub\n", ""),
            "current-context is missing; expected the name of one of its contexts: it has \"hub\"",
        ),
        (with("current-context: hub\n", "current-context: ''\n"), "current-context is missing"),
        (
            with("current-context: hub", "current-context: hbu"),
            "current-context is \"hbu\"; expected the name of one of its contexts: it has \"hub\"",
        ),
        (
            with("cluster: hub,", "cluster: other,"),
            "context \"hub\": found cluster \"other\"; expected the name of one of its clusters",
        ),
        (with(server, "insecure-skip-tls-verify: true"), "has no `server`; expected the API server's URL"),
        (with(server, "server: 'https://a b'"), "is no URL"),
        (
            with(server, &format!("{server}, certificate-authority-data: '***'")),
            "certificate-authority: found something that is not base64",
        ),
        (with(server, &format!("{server}, certificate-authority: /no/such")), "certificate-authority: cannot read "),
        (
            with(server, &format!("{server}, proxy-url: 'http://127.0.0.1:3128'")),
            "proxy-url of cluster \"hub\" is not supported",
        ),
        (with("users:", &format!("users: {{token: {TOKEN}")), "cannot be read as a kubeconfig (line 7"),
        (with("users:", &format!("x: {}{TOKEN}\nusers:", many(4))), "cannot be read as a kubeconfig (line "),
        (
            with(&format!("{{token: {TOKEN}}}"), &format!("{{token: [{TOKEN}]}}")),
            "cannot be read as a kubeconfig (line 9",
        ),
        (with("contexts:", "contexts: 7\nold:"), "cannot be read as a kubeconfig (line "),
    ] {
        let error = error_of(&text).await;
        assert!(error.contains(says), "{says:?} is not in {error:?}");
    }
    let missing = from_file(Path::new("/no/such"), None).await.expect_err("it is not there");
    assert!(missing.starts_with("/no/such: cannot be read: No such file"), "{missing}");
    let folder = from_file(Path::new("/"), None).await.expect_err("it is a folder");
    assert!(folder.starts_with("/: cannot be read: "), "{folder}");
}

/// `--hub-kubeconfig <(kind get kubeconfig)` can be read once, and several documents are one kubeconfig.
#[tokio::test]
async fn a_kubeconfig_may_be_a_pipe_and_have_several_documents() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let (text, to) = (with("users:", "---\napiVersion: v1\nkind: Config\nusers:"), pipe.clone());
    let writer = std::thread::spawn(move || std::fs::write(to, text));
    let config = from_file(&pipe, None).await.expect("a configuration");
    assert_eq!(config.cluster_url, "https://127.0.0.1:1");
    writer.join().expect("no panic").expect("written");
}

#[tokio::test]
async fn a_context_is_chosen_or_named_as_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hub.yaml");
    let more = "contexts:\n- name: other\n  context: {cluster: other, user: admin}\n";
    let other = "clusters:\n- name: other\n  cluster: {server: 'https://127.0.0.1:2'}\n";
    std::fs::write(&file, with("contexts:\n", more).replace("clusters:\n", other)).expect("write it");
    let server =
        async |context: Option<&str>| from_file(&file, context).await.map(|config| config.cluster_url.to_string());
    assert_eq!(server(None).await.as_deref(), Ok("https://127.0.0.1:1/"));
    assert_eq!(server(Some("other")).await.as_deref(), Ok("https://127.0.0.1:2/"));
    let error = server(Some("nope")).await.expect_err("it has no such context");
    assert!(error.ends_with("--context: found \"nope\"; expected one of its contexts: other, hub"), "{error}");
}
