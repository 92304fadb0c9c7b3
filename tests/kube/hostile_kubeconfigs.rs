//! Kubeconfigs are written by users who may write Secrets. What they must not do does not happen, and what is wrong with
//! each is reported without showing what it holds.

mod echo;

use std::time::Duration;

use echo::EchoServer;

use crate::harness::{Federation, Isthmus, Member, SOON, Source, objects, run};
use crate::testbed::{eventually, ports};

/// In each hostile kubeconfig, and nowhere else ever.
const TOKEN: &str = "c2VudGluZWwtdG9rZW4tdGhhdC1tdXN0LW5ldmVyLWJlLXNlZW4";
/// An `exec` entry would have run by then: the library runs it as soon as a client is built.
const EXEC_WINDOW: Duration = Duration::from_secs(2);

struct Case {
    name: &'static str,
    /// `None`: there is no Secret.
    secret: Option<(&'static str, String)>,
    reason: &'static str,
    /// What a person needs to find the mistake.
    says: &'static [&'static str],
}

fn cases(eu: &Member, marker: &str) -> Vec<Case> {
    let (server, ca) = (eu.cluster.server_url(), eu.cluster.ca_pem());
    let ca = serde_json::to_string(&k8s_openapi::ByteString(ca.into_bytes())).expect("base64 is JSON");
    let config = |server: &str, ca: &str, user: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: '{server}'{ca}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
        )
    };
    let ca = format!(", certificate-authority-data: {ca}");
    let with = |user: &str| Some(("kubeconfig", config(&server, &ca, user)));
    let case = |name, secret, reason, says| Case { name, secret, reason, says };
    let invalid = "KubeconfigInvalid";
    let dead = format!("https://127.0.0.1:{}", ports::free());
    vec![
        case(
            "exec",
            with(&format!(
                "token: {TOKEN}, exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, \
                 command: /bin/sh, args: ['-c', 'echo {TOKEN} > {marker}']}}"
            )),
            invalid,
            &["exec"],
        ),
        case(
            "auth-provider",
            with(&format!(
                "token: {TOKEN}, auth-provider: {{name: gcp, config: {{cmd-path: /bin/sh, cmd-args: '-c touch {marker}'}}}}"
            )),
            invalid,
            &["auth-provider"],
        ),
        case("token-file", with("tokenFile: /etc/hostname"), invalid, &["tokenFile"]),
        case(
            "certificate-path",
            with(&format!("token: {TOKEN}, client-certificate: /etc/hostname, client-key: /etc/hostname")),
            invalid,
            &["client-certificate"],
        ),
        case(
            "authority-path",
            Some((
                "kubeconfig",
                config(&server, ", certificate-authority: /etc/ssl/certs/ca.crt", &format!("token: {TOKEN}")),
            )),
            invalid,
            &["certificate-authority"],
        ),
        case(
            "not-yaml",
            Some(("kubeconfig", format!("apiVersion: v1\nusers: [{{name: u, user: {{token: {TOKEN}\nclusters: ]}}"))),
            invalid,
            &["YAML"],
        ),
        case(
            "no-tls",
            Some(("kubeconfig", config(&server.replace("https", "http"), &ca, &format!("token: {TOKEN}")))),
            invalid,
            &["server", "https"],
        ),
        case(
            "dead-server",
            Some(("kubeconfig", config(&dead, &ca, &format!("token: {TOKEN}")))),
            "Unreachable",
            &["127.0.0.1", "refused"],
        ),
        case("wrong-token", with(&format!("token: {TOKEN}")), "CredentialRefused", &["401"]),
        case("no-secret", None, "SecretMissing", &["no-secret"]),
        case("no-key", Some(("config", eu.kubeconfig.clone())), "SecretMissing", &["no-key", "kubeconfig"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_kubeconfigs_are_refused_one_by_one() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let eu = federation.member("eu-1");
    let marker = federation.path("exec-ran");
    // Logs as talkative as they get: what a library says when asked for more counts as well.
    let controller = &federation.hub_kubeconfig("isthmus-controller");
    let mut controller = Isthmus::controller_logging(controller, "trace,h2=info");
    controller.wait_ready().await;
    let mut region = Isthmus::region_logging("eu", Source::Hub(&federation.hub_kubeconfig("isthmus-region")), "trace");
    region.wait_ready().await;
    federation.all_ready().await;
    eu.serve("shop", "web", 1).await;
    federation.member("us-1").until_mirror("shop", "web", &["eu-1"]).await;
    let counted =
        |status: &clusters::api::MemberClusterStatus| status.counts.is_some_and(|counts| counts.mirrored == 1);
    federation.until_status("us-1", "its mirror is counted", counted).await;
    let good = federation.scene_in(&["us-1"]).await + federation.scene_of_statuses(&["us-1"]).await;

    let cases = cases(eu, &marker.display().to_string());
    for (number, case) in (20..).zip(&cases) {
        let (pods, services) = (format!("10.{number}.0.0/16"), format!("10.{}.0.0/16", 100 + number));
        if let Some((key, content)) = &case.secret {
            federation.hub.apply(&objects::secret(case.name, key, content)).await;
        }
        federation.hub.apply(&objects::member_cluster(case.name, "eu", &[&pods], &[&services])).await;
    }
    for case in &cases {
        let connected = federation.until(case.name, "Connected", "False", case.reason).await;
        let missing = case.says.iter().find(|text| !connected.message.contains(**text));
        assert_eq!(missing, None, "{}: {}", case.name, connected.message);
        federation.until(case.name, "Ready", "False", case.reason).await;
        assert_eq!(federation.status(case.name).await.admission, None, "{}", case.name);
    }
    same_cluster_twice(&federation).await;

    // The exec entry is looked at again when its Secret is touched, and when it is the only change.
    let touched = federation.hub.kubectl(&["annotate", "-n", "isthmus-system", "secret", "exec", "touched=1"]).await;
    assert!(touched.contains("annotated"));
    tokio::time::sleep(EXEC_WINDOW).await;
    assert!(!marker.exists(), "an exec entry was run");
    good.assert_same(
        &(federation.scene_in(&["us-1"]).await + federation.scene_of_statuses(&["us-1"]).await),
        "hostile neighbours disturbed a member",
    );

    server_that_echoes(&federation).await;

    no_token_is_shown(&federation, &controller, &region).await;

    // Repaired, a refused one joins like any other: only its own range is still in the way of nothing.
    federation.hub.kubectl(&["delete", "mc", "eu-1", "eu-1-again", "--wait=false"]).await;
    federation.hub.apply(&objects::secret("exec", "kubeconfig", &eu.kubeconfig)).await;
    federation.until_ready("exec").await;
}

/// Whatever a server sends back, the token it was sent is not shown.
async fn server_that_echoes(federation: &Federation) {
    let server = EchoServer::start();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: '{}', certificate-authority-data: {}}}}}]\n\
         users: [{{name: u, user: {{token: {TOKEN}}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n",
        server.url(),
        server.authority()
    );
    federation.hub.apply(&objects::secret("echo", "kubeconfig", &kubeconfig)).await;
    federation.hub.apply(&objects::member_cluster("echo", "eu", &["10.61.0.0/16"], &["10.161.0.0/16"])).await;
    // It was used: its kube-system has this UID, and its Services were read and rejected.
    let read = |status: &clusters::api::MemberClusterStatus| {
        status.cluster_uid.as_deref() == Some("echo") && status.problems.iter().any(|text| text.contains("shop/web"))
    };
    federation.until_status("echo", "its objects were read", read).await;
}

/// One cluster under two names: the first one stays.
async fn same_cluster_twice(federation: &Federation) {
    let eu = federation.member("eu-1");
    federation.hub.apply(&objects::secret("eu-1-again", "kubeconfig", &eu.kubeconfig)).await;
    federation.hub.apply(&objects::member_cluster("eu-1-again", "eu", &["10.60.0.0/16"], &["10.160.0.0/16"])).await;
    let refused = federation.until("eu-1-again", "Admitted", "False", "DuplicateCluster").await;
    assert!(refused.message.contains("eu-1"), "{}", refused.message);
    federation.until("eu-1-again", "Ready", "False", "DuplicateCluster").await;
    assert_eq!(federation.condition("eu-1", "Ready").await.expect("Ready").status, "True");
}

/// No token, neither of the hostile ones nor of members, in any page, log, object or output.
async fn no_token_is_shown(federation: &Federation, controller: &Isthmus, region: &Isthmus) {
    let hub = Source::Hub(&federation.hub_kubeconfig("isthmus-controller")).args();
    let mut shown: Vec<(String, String)> = Vec::new();
    for (name, process) in [("controller", controller), ("region", region)] {
        for page in ["/debug/members", "/debug/services", "/debug/problems", "/debug/streams", "/metrics"] {
            shown.push((format!("{name} {page}"), process.page(page).await));
        }
        shown.push((format!("log of {name}"), process.log()));
    }
    for what in ["mc", "regions.isthmus.dev", "events", "events.v1.events.k8s.io", "leases"] {
        shown.push((format!("kubectl get {what}"), federation.hub.kubectl(&["get", what, "-A", "-o", "yaml"]).await));
    }
    for args in [["status", &hub[0], "-o", "yaml"], ["status", &hub[0], "-o", "wide"], ["check", &hub[0], "-o", "json"]]
    {
        let output = run(&args).await;
        let both = [output.stdout, output.stderr].concat();
        shown.push((args.join(" "), String::from_utf8_lossy(&both).into_owned()));
    }
    assert!(
        shown.iter().any(|(name, text)| name == "log of controller" && text.contains("exec")),
        "the log says nothing"
    );

    let token_of = |kubeconfig: &str| {
        let line = kubeconfig.lines().find_map(|line| line.trim().strip_prefix("token: ")).expect("a token");
        line.to_owned()
    };
    let mut secrets = vec![TOKEN.to_owned()];
    secrets.extend(federation.ids().iter().map(|id| token_of(&federation.member(id).kubeconfig)));
    for account in ["isthmus-controller", "isthmus-region"] {
        secrets.push(token_of(&std::fs::read_to_string(federation.hub_kubeconfig(account)).expect("a kubeconfig")));
    }
    for (name, text) in &shown {
        for secret in &secrets {
            // The line is enough to find the place, and must not show it here either.
            let line = text.lines().find(|line| line.contains(secret.as_str()));
            let line = line.map(|line| line.replace(secret.as_str(), "[token]").chars().take(600).collect::<String>());
            assert_eq!(line, None, "{name} shows a token");
        }
        // Nor pieces of the one that was sent back in every form. (A log as talkative as this one has all kinds of bytes.)
        let pieces = TOKEN.as_bytes().windows(16).map(|piece| std::str::from_utf8(piece).expect("ASCII"));
        let piece = pieces.filter(|_| !name.starts_with("log of")).find(|piece| text.contains(piece));
        assert_eq!(piece.map(|_| "[piece]"), None, "{name} shows a piece of a token");
    }
    let lists_redacted = |name: &str| shown.iter().any(|(shown, text)| shown == name && text.contains("[redacted]"));
    assert!(
        lists_redacted("controller /debug/problems") && lists_redacted("kubectl get mc"),
        "the server's objects are listed"
    );
    eventually("the refused are events as well", SOON, async || {
        let events = federation.hub.kubectl(&["get", "events", "-A", "-o", "yaml"]).await;
        if events.contains("KubeconfigInvalid") { Ok(()) } else { Err(events) }
    })
    .await;
}
