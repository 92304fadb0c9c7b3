//! Fuzz target: kubeconfigs of any bytes.

use fuzzing::{any_bytes, edited, run};
use proptest::prelude::*;

use super::Access;
use super::tests::{SERVER, TOKEN, kubeconfig, pem, token_line};

const WORDS: [&str; 16] = [
    "exec: {command: /bin/sh}",
    "auth-provider",
    "tokenFile: /var/run/secrets/token",
    "as: admin",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "? ",
    "- name: c",
    "current-context: \"\"",
    "proxy-url: http://10.0.0.1",
    "insecure-skip-tls-verify: true",
    "server: http://[::1]:0/",
    "\u{feff}",
    "---\n",
];

#[test]
fn fuzz_kubeconfigs() {
    let pem = pem();
    let token = token_line();
    let (ca, certificate, key) = (
        format!("certificate-authority-data: {}", pem.certificate),
        format!("client-certificate-data: {}", pem.certificate),
        format!("client-key-data: {}", pem.key),
    );
    let seeds = [
        kubeconfig(&[SERVER], &[&token]),
        kubeconfig(&[SERVER, &ca, "tls-server-name: api.example"], &[&token]),
        kubeconfig(&[SERVER], &[&certificate, &key, "exec: null"]),
        "{\"apiVersion\": \"v1\", \"kind\": \"Config\", \"clusters\": [], \"users\": [], \"contexts\": []}".to_owned(),
    ];
    let seeds = seeds.map(String::into_bytes).to_vec();
    run("kubeconfigs", prop_oneof![1 => any_bytes(500), 8 => edited(seeds, &WORDS)], |bytes| {
        let shown = match Access::parse(&bytes) {
            Ok(access) => format!("{access:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains(TOKEN), "the token is in {shown:?}");
    });
}
