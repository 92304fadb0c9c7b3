use std::path::Path;

use super::{ObtainError, obtain, parse_version};

#[test]
fn the_version_is_read_from_envoys_own_line() {
    let line = "\n/opt/envoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n\n";
    assert_eq!(parse_version(line), Some((1, 40)));
    assert_eq!(parse_version("envoy version 1.40.0"), None);
    assert_eq!(parse_version("version: abc/x.y/"), None);
}

#[tokio::test]
async fn an_envoy_that_was_named_is_never_replaced_by_another() {
    let error = obtain(Some(Path::new("/nonexistent/envoy")), &|_| {}).await.unwrap_err();
    let ObtainError::Unusable { ref path, .. } = error else { panic!("{error}") };
    assert_eq!(path, Path::new("/nonexistent/envoy"));
    assert!(error.to_string().starts_with("the command line says /nonexistent/envoy"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_envoy_is_refused() {
    let error = obtain(Some(Path::new("/bin/true")), &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("does not run as Envoy: its --version says"), "{error}");
}
