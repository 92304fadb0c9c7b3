#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

pub(super) const TOKEN: &str = "Zx9-topsecret-bearer.Qw7";

pub(super) struct Pem {
    pub(super) certificate: String,
    pub(super) key: String,
}

pub(super) fn pem() -> Pem {
    let made = rcgen::generate_simple_self_signed(vec!["api.example".to_owned()]).unwrap();
    Pem { certificate: STANDARD.encode(made.cert.pem()), key: STANDARD.encode(made.signing_key.serialize_pem()) }
}

/// A kubeconfig with these lines in its cluster and user.
pub(super) fn kubeconfig(cluster: &[&str], user: &[&str]) -> String {
    let indent = |lines: &[&str]| lines.iter().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: main\npreferences: {{}}\ncontexts:\n- name: main\n  context:\n    cluster: c\n    user: u\n    namespace: x\nclusters:\n- name: c\n  cluster:\n{}users:\n- name: u\n  user:\n{}",
        indent(cluster),
        indent(user),
    )
}

pub(super) const SERVER: &str = "server: https://10.0.0.1:6443";

pub(super) fn token_line() -> String {
    format!("token: {TOKEN}")
}

/// The error's text in every form it could be printed in, after checking that none of them holds the token.
fn refusal(text: &str) -> String {
    let error = match Access::parse(text.as_bytes()) {
        Ok(access) => panic!("accepted: {access:?}"),
        Err(error) => error,
    };
    let shown = format!("{error}\n{error:?}\n{error:#?}");
    for start in 0..TOKEN.len() - 5 {
        let part = &TOKEN[start..start + 6];
        assert!(!shown.contains(part), "{part:?} of the token is in {shown:?}");
    }
    error.to_string()
}

#[tokio::test]
async fn plain_data_is_accepted() {
    let pem = pem();
    let token = token_line();
    let ca = format!("certificate-authority-data: {}", pem.certificate);
    let access = Access::parse(
        kubeconfig(&[SERVER, &ca, "tls-server-name: api.example", "insecure-skip-tls-verify: false"], &[&token])
            .as_bytes(),
    )
    .unwrap();
    let config = access.config();
    assert_eq!(config.cluster_url.to_string(), "https://10.0.0.1:6443/");
    assert_eq!(config.tls_server_name.as_deref(), Some("api.example"));
    assert_eq!(config.root_cert.map(|roots| roots.len()), Some(1));
    assert_eq!(config.auth_info.token.unwrap().expose_secret(), TOKEN);
    assert!(!format!("{access:?}").contains(TOKEN), "Debug redacts");

    let certificate = format!("client-certificate-data: {}", pem.certificate);
    let key = format!("client-key-data: {}", pem.key);
    let access = Access::parse(kubeconfig(&[SERVER], &[&certificate, &key, "exec: null"]).as_bytes()).unwrap();
    let key = access.secrets();
    assert!(key.are_in(&pem.key) && !key.are_in(TOKEN), "the key is recognised");
    assert!(!format!("{access:?}").contains(&pem.key), "Debug redacts");
    assert!(super::super::connect::client(access.config()).is_ok(), "certificate and key fit together");
}

#[test]
fn hostile_fields_are_refused_by_name() {
    let token = token_line();
    let users = [
        ("exec", "exec: {command: /bin/sh, args: [-c, id], apiVersion: client.authentication.k8s.io/v1}"),
        ("auth-provider", "auth-provider: {name: gcp, config: {cmd-path: /bin/sh}}"),
        ("tokenFile", "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token"),
        ("client-certificate", "client-certificate: /etc/ssl/x"),
        ("client-key", "client-key: /etc/ssl/y"),
        ("username", "username: admin"),
        ("password", "password: x"),
        ("as", "as: system:admin"),
        ("as-uid", "as-uid: '1'"),
        ("as-groups", "as-groups: [system:masters]"),
        ("as-user-extra", "as-user-extra: {a: [b]}"),
    ];
    for (field, line) in users {
        let text = refusal(&kubeconfig(&[SERVER], &[&token, line]));
        assert!(text.contains(&format!("users[0].user.{field} is refused: ")), "{field}: {text}");
    }
    let clusters = [
        ("certificate-authority", "certificate-authority: /etc/ca.crt"),
        ("proxy-url", "proxy-url: http://evil.example:3128"),
        ("insecure-skip-tls-verify", "insecure-skip-tls-verify: true"),
    ];
    for (field, line) in clusters {
        let text = refusal(&kubeconfig(&[SERVER, line], &[&token]));
        assert!(text.contains(&format!("clusters[0].cluster.{field} is refused: ")), "{field}: {text}");
    }
}

#[test]
fn a_hostile_field_sleeps_nowhere_in_the_document() {
    let text = kubeconfig(&[SERVER], &[&token_line()]) + "- name: other\n  user:\n    exec: {command: sh}\n";
    assert!(refusal(&text).contains("users[1].user.exec is refused"));
}

/// A field that Isthmus does not read is passed over; a slip in the name of one that it reads is not.
#[test]
fn a_field_that_is_not_known_is_passed_over_unless_it_is_a_slip() {
    let token = token_line();
    let foreign = format!("{TOKEN}: oops");
    let cluster = [SERVER, "extensions: [{name: minikube.sigs.k8s.io, extension: {a: b}}]", "future: {a: [b]}"];
    assert!(Access::parse(kubeconfig(&cluster, &[&token, &foreign, "id: 7"]).as_bytes()).is_ok());
    for (slip, known) in [
        ("tokenfile: /x", "tokenFile"),
        ("tokens: x", "token"),
        ("EXEC: {command: sh}", "exec"),
        ("client-certificate_data: x", "client-certificate-data"),
    ] {
        let text = refusal(&kubeconfig(&[SERVER], &[&token, slip]));
        assert!(text.contains("users[0].user (a field in it that is spelt nearly like "), "{text}");
        assert!(text.contains(known) && text.contains("correct the field's name"), "{text}");
    }
    let text = refusal(&kubeconfig(&[SERVER, "insecure-skip-tls-verifi: true"], &[&token]));
    assert!(text.contains("clusters[0].cluster (a field in it") && text.contains("insecure-skip-tls-verify"), "{text}");
}

/// What kubectl takes for a field that is not set.
#[test]
fn a_field_that_is_empty_is_not_there() {
    let token = token_line();
    let empty = [
        "exec: null",
        "auth-provider: ~",
        "tokenFile: ''",
        "client-certificate: \"\"",
        "client-key: ''",
        "username: ''",
        "password: ''",
        "as: ''",
        "as-uid: ''",
        "as-groups: []",
        "as-user-extra: {}",
        "client-certificate-data: ''",
        "client-key-data: \"\"",
        "extensions: null",
    ];
    let user: Vec<&str> = empty.into_iter().chain([&*token]).collect();
    let cluster = [
        SERVER,
        "certificate-authority: ''",
        "proxy-url: \"\"",
        "tls-server-name: ''",
        "insecure-skip-tls-verify: false",
        "certificate-authority-data: ''",
        "disable-compression: null",
    ];
    let text = kubeconfig(&cluster, &user)
        .replace("namespace: x", "namespace: ''")
        .replace("preferences: {}", "preferences: null");
    assert!(Access::parse(text.as_bytes()).is_ok(), "{:?}", Access::parse(text.as_bytes()));
    // Entries that the context does not name may be empty as a whole.
    let text = text + "- name: other\n  user: null\n- name: third\n";
    assert!(Access::parse(text.as_bytes()).is_ok(), "{:?}", Access::parse(text.as_bytes()));
    // A command without anything in it is one.
    assert!(refusal(&kubeconfig(&[SERVER], &[&token, "exec: {}"])).contains("users[0].user.exec is refused"));
}

#[tokio::test]
async fn base64_may_be_broken_into_lines() {
    let pem = pem();
    let broken = |text: &str, by: &str| {
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        lines.join(by)
    };
    let forms: [fn(&str) -> String; 4] = [
        |lines| format!("|\n      {}", lines.replace('\n', "\n      ")),
        |lines| format!(">-\n      {}", lines.replace('\n', "\n      ")),
        |lines| lines.replace('\n', "\n      "),
        |lines| format!("\"{}\\r\\n\"", lines.replace('\n', "\\r\\n ")),
    ];
    for form in forms {
        let line = |field: &str, data: &str| format!("{field}: {}", form(&broken(data, "\n")));
        let ca = line("certificate-authority-data", &pem.certificate);
        let (chain, key) = (line("client-certificate-data", &pem.certificate), line("client-key-data", &pem.key));
        let text = kubeconfig(&[SERVER, &ca], &[&chain, &key, &token_line()]);
        let access = Access::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let config = access.config();
        assert_eq!(config.auth_info.client_certificate_data.as_deref(), Some(&*pem.certificate));
        assert!(config.auth_info.token.is_some(), "a token beside a certificate is sent as well");
        assert!(access.secrets().are_in(TOKEN) && access.secrets().are_in(&pem.key));
        assert!(super::super::connect::client(config).is_ok(), "kube takes it");
    }
}

#[test]
fn what_cannot_be_used_is_named_with_what_is_expected() {
    let token = token_line();
    let token = token.as_str();
    let table: &[(&[&str], &[&str], &str)] = &[
        (&["server: http://10.0.0.1"], &[token], "clusters[0].cluster.server cannot be used; expected an https:// URL"),
        (&["server: https://u:p@10.0.0.1"], &[token], "clusters[0].cluster.server"),
        (&["server: https://10.0.0.1?x=1"], &[token], "clusters[0].cluster.server"),
        (&["server: /relative"], &[token], "clusters[0].cluster.server"),
        (&["server: ''"], &[token], "clusters[0].cluster.server"),
        (
            &[SERVER, "certificate-authority-data: '%%%'"],
            &[token],
            "certificate-authority-data cannot be used; expected base64 of PEM",
        ),
        (&[SERVER, "certificate-authority-data: aGVsbG8="], &[token], "certificate-authority-data"),
        (&[SERVER, "tls-server-name: 'a b'"], &[token], "tls-server-name cannot be used; expected a DNS name"),
        (
            &[SERVER, "insecure-skip-tls-verify: maybe"],
            &[token],
            "insecure-skip-tls-verify cannot be used; expected true or false",
        ),
        (&[SERVER], &["token: 12345"], "users[0].user.token cannot be used; expected text"),
        (&[SERVER], &["token: 'two words'"], "users[0].user.token cannot be used; expected one line"),
        (&[SERVER], &["token: ''"], "users[0].user cannot be used; expected a token, or client-"),
        (
            &[SERVER],
            &[token, "client-certificate-data: aGk=", "client-key-data: aGk="],
            "client-certificate-data cannot",
        ),
        (
            &[SERVER],
            &["client-certificate-data: aGk="],
            "users[0].user cannot be used; expected client-key-data beside",
        ),
        (
            &[SERVER],
            &[token, "client-key-data: aGk="],
            "users[0].user cannot be used; expected client-certificate-data",
        ),
        (
            &[SERVER],
            &["client-certificate-data: aGk=", "client-key-data: aGk="],
            "client-certificate-data cannot be used",
        ),
    ];
    for (cluster, user, expected) in table {
        let text = refusal(&kubeconfig(cluster, user));
        assert!(text.contains(expected), "{cluster:?} {user:?}: {text:?} lacks {expected:?}");
    }
}

#[test]
fn contexts_must_be_unambiguous() {
    let good = kubeconfig(&[SERVER], &[&token_line()]);
    let without = good.replace("current-context: main\n", "");
    assert!(Access::parse(without.as_bytes()).is_ok(), "the only context is meant");
    let two = without.replace("clusters:\n- name", "- name: b\n  context: {cluster: c, user: u}\nclusters:\n- name");
    assert!(refusal(&two).contains("current-context cannot be used"));
    assert!(refusal(&good.replace("current-context: main", "current-context: gone")).contains("current-context"));
    for user in ["    user: gone\n", "    user: ''\n", ""] {
        let text = refusal(&good.replace("    user: u\n", user));
        assert!(text.contains("contexts[0].context.user") && text.contains("without a credential"), "{text}");
    }
    assert!(refusal(&good.replace("kind: Config", "kind: Secret")).contains("kind cannot be used; expected Config"));
    let twins = good + "- name: u\n  user: {token: other}\n";
    assert!(refusal(&twins).contains("users[1].name"));
}

#[test]
fn what_is_not_yaml_says_where_and_nothing_else() {
    let good = kubeconfig(&[SERVER], &[&token_line()]);
    let broken = [
        good.replace("token: ", "token: \"unclosed "),
        good.replace("token: ", "token: [ "),
        good.replace("token: ", "token: &a "),
        good.replace("token: ", "token: *"),
        good.replace("token: ", "token: !binary "),
        good.replace("token: ", "token:\t%"),
        format!("{good}{good}"),
        format!("{good}---\n{good}"),
    ];
    for text in &broken {
        refusal(text);
    }
    assert!(refusal(&broken[0]).contains("cannot be read as YAML (line "), "{}", refusal(&broken[0]));
    let beyond = [&broken[2], &broken[7], &format!("{good}a: [{}]\n", "x, ".repeat(MAX_YAML_NODES))];
    for text in beyond {
        let error = refusal(text);
        assert!(
            error.contains("more than is read of one (line ") && error.contains("write their values out"),
            "{error}"
        );
    }
    let twice = good.replace("    token: ", "    token: x\n    token: ");
    assert!(refusal(&twice).contains("has a field twice (line "), "{}", refusal(&twice));
    assert!(Access::parse(format!("\u{feff}{good}").as_bytes()).is_ok(), "a byte order mark is no content");
    assert_eq!(Access::parse(b"\xff\xfe").unwrap_err(), KubeconfigError::NotText);
    assert!(matches!(Access::parse(&vec![b' '; MAX_KUBECONFIG_BYTES + 1]), Err(KubeconfigError::TooLarge { .. })));
    let deep = format!("a: {}", "[".repeat(5_000));
    assert!(matches!(Access::parse(deep.as_bytes()), Err(KubeconfigError::NotYaml { .. })));
    assert!(refusal("").contains("document"));
}

/// Cuts, doublings and byte flips of a real document: whatever happens, no part of the token is shown.
#[test]
fn no_damage_makes_it_tell_the_token() {
    let good = kubeconfig(&[SERVER], &[&token_line()]);
    let mut refused = 0;
    let mut check = |text: String| {
        if Access::parse(text.as_bytes()).is_err() {
            refusal(&text);
            refused += 1;
        }
    };
    for at in 0..good.len() {
        check(good[..at].to_owned());
        check(good[at..].to_owned());
        for noise in ["\"", "'", "{", "[", ":", "- ", "\n", "\t", "&", "*", "!", "|", "%", "#", "\u{0}", "é", "? "] {
            check(format!("{}{noise}{}", &good[..at], &good[at..]));
        }
    }
    assert!(refused > good.len(), "most damage is refused: {refused}");
}
