use super::*;

#[test]
fn what_is_good_is_served() {
    install();
    let (servers, clients) = (Authority::new(), Authority::new());
    let pair = servers.sign();
    let plain = pair.material().ready().unwrap();
    assert_eq!(plain.not_after_s, 64_060_588_800, "the first of January 4000");
    assert_eq!(welcomes(plain.config, &servers, None), Ok(()));

    let client_ca = Some(clients.pem().into_bytes());
    let mutual = Material { client_ca, ..pair.material() }.ready().unwrap().config;
    assert_eq!(welcomes(Arc::clone(&mutual), &servers, Some(&clients.sign())), Ok(()));
    assert!(welcomes(Arc::clone(&mutual), &servers, None).is_err());
    assert!(welcomes(mutual, &servers, Some(&servers.sign())).is_err());
}

#[test]
fn what_is_not_is_reported_by_field_and_never_quoted() {
    install();
    let authority = Authority::new();
    let pair = authority.sign();
    let good = pair.material();
    let other = authority.sign();
    let cut = |pem: &str| pem.as_bytes()[..pem.len() / 2].to_vec();
    let with_cert = |cert: &str| Material { cert: cert.as_bytes().to_vec(), ..good.clone() };
    let with_key = |key: &[u8]| Material { key: SecretBytes::new(key), ..good.clone() };
    let with_ca = |ca: &[u8]| Material { client_ca: Some(ca.to_vec()), ..good.clone() };
    let mangled = pair.cert.replace("MII", "AAA");
    let cases = [
        (with_cert(""), "tls.crt: found none; expected certificates in PEM form, the server's own first"),
        (with_cert("PRIVATE WORDS"), "tls.crt: found none; expected certificates in PEM form, the server's own first"),
        (
            Material { cert: cut(&pair.cert), ..good.clone() },
            "tls.crt: found something else; expected certificates in PEM form, the server's own first",
        ),
        (
            with_cert(&mangled),
            "tls.crt: found something else; expected certificates in PEM form, the server's own first",
        ),
        (
            authority.sign_for(2_000..=2_001).material(),
            "tls.crt: found one that ended on Jan  1 00:00:00 2001 +00:00; expected a certificate that is valid now",
        ),
        (
            authority.sign_for(3_000..=3_001).material(),
            "tls.crt: found one that begins on Jan  1 00:00:00 3000 +00:00; expected a certificate that is valid now",
        ),
        (
            with_key(b"PRIVATE WORDS"),
            "tls.key: found something else; expected the certificate's private key, in PEM form and not encrypted",
        ),
        (
            with_key(&cut(&pair.key)),
            "tls.key: found something else; expected the certificate's private key, in PEM form and not encrypted",
        ),
        (
            with_key(other.key.as_bytes()),
            "tls.key: found a key that does not belong to the certificate; \
             expected the certificate's private key, in PEM form and not encrypted",
        ),
        (with_ca(b""), "ca.crt: found none; expected one or more CA certificates in PEM form"),
        (with_ca(&cut(&pair.cert)), "ca.crt: found something else; expected one or more CA certificates in PEM form"),
    ];
    for (material, expected) in cases {
        let error = material.ready().err().unwrap_or_else(|| panic!("expected: {expected}"));
        assert_eq!(error.to_string(), expected);
    }
    let shown = format!("{good:?}");
    assert!(shown.contains("secret bytes") && !shown.contains("PRIVATE"), "{shown}");
}
