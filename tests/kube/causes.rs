//! Whatever keeps Isthmus from an API server is named in the same words in all places, with what to do: for the hub
//! by the commands, in the log and on `/readyz`, for a member in its condition and in the log.

mod servers;

use std::path::{Path, PathBuf};

use servers::{Flaw, Server, base64};
use tempfile::TempDir;

use crate::harness::{Federation, Isthmus, SOON, Source, objects, run, slots};
use crate::testbed::{Cluster, ClusterSpec, eventually, http, ports};

/// Why an API server cannot be used, and what has to be reported about it.
struct Case {
    name: &'static str,
    kubeconfig: String,
    /// The member's reason.
    reason: &'static str,
    found: &'static str,
    remedy: &'static str,
}

const TOKEN: &str = "token: no-such-token";
const UNREACHABLE: &str = "Unreachable";
const REFUSED: &str = "CredentialRefused";

fn kubeconfig(server: &str, authority: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: '{server}', certificate-authority-data: '{authority}'}}}}]\n\
         users: [{{name: u, user: {{{user}}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    )
}

/// Servers that are none of ours.
fn scripted() -> Vec<Case> {
    let case = |name, server: Server, found, remedy| Case {
        name,
        kubeconfig: kubeconfig(&server.url, &server.authority, TOKEN),
        reason: UNREACHABLE,
        found,
        remedy,
    };
    vec![
        case(
            "expired",
            Server::flawed(Flaw::Expired),
            "its certificate has expired: it ended at 2021-01-01",
            "renew it",
        ),
        case(
            "not-yet",
            Server::flawed(Flaw::NotYetValid),
            "its certificate is not valid yet: it begins at 2090-01-01",
            "set the clocks right",
        ),
        case(
            "other-name",
            Server::flawed(Flaw::OtherName),
            "its certificate is for other names than 127.0.0.1",
            "set tls-server-name",
        ),
        case(
            "ca-as-server",
            Server::flawed(Flaw::CaAsServer),
            "its certificate is a CA's own and not a server's (CaUsedAsEndEntity)",
            "give the API server a certificate that a CA signed for it",
        ),
        case(
            "wants-certificate",
            Server::flawed(Flaw::WantsCertificate),
            "it does not accept our client certificate (alert CertificateRequired)",
            "put a client certificate and key into the kubeconfig",
        ),
        case(
            "web-page",
            Server::flawed(Flaw::WebPage),
            "the answer is HTML and not JSON",
            "it must be the API server's own address",
        ),
        case("plain-http", Server::plain(), "it does not use TLS at this port", "check scheme and port"),
        case("silent", Server::silent(), "no answer in the TLS handshake within 3.5 s", "see whether it is overloaded"),
    ]
}

/// A real API server that does not let us in, and places where there is none.
async fn real(hub: &Cluster) -> Vec<Case> {
    let (server, ca) = (hub.server_url(), base64(&hub.ca_pem()));
    let other = Server::plain().authority;
    let stranger = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).expect("a certificate");
    let certificate = format!(
        "client-certificate-data: {}, client-key-data: {}",
        base64(&stranger.cert.pem()),
        base64(&stranger.signing_key.serialize_pem())
    );
    let without_rights = hub.service_account(Vec::new()).await.token;
    let case = |name, server: &str, ca: &str, user: &str, reason, found, remedy| Case {
        name,
        kubeconfig: kubeconfig(server, ca, user),
        reason,
        found,
        remedy,
    };
    let closed = format!("https://127.0.0.1:{}", ports::free());
    vec![
        case(
            "other-ca",
            &server,
            &other,
            TOKEN,
            UNREACHABLE,
            "its certificate is not signed by a CA that the kubeconfig trusts",
            "put the CA that signed it into the kubeconfig's certificate-authority-data",
        ),
        case(
            "closed",
            &closed,
            &ca,
            TOKEN,
            UNREACHABLE,
            "connection refused",
            "check the port in the kubeconfig's `server`",
        ),
        case(
            "no-name",
            "https://no-such-host.invalid:6443",
            &ca,
            TOKEN,
            UNREACHABLE,
            "its name cannot be resolved",
            "name servers|DNS where Isthmus runs",
        ),
        case(
            "bad-token",
            &server,
            &ca,
            TOKEN,
            REFUSED,
            "it does not accept the credential (401): it is wrong, expired or revoked",
            "put a new one into the Secret|give Isthmus a new one",
        ),
        case(
            "bad-certificate",
            &server,
            &ca,
            &certificate,
            REFUSED,
            "it does not accept the credential (401)",
            "put a new one into the Secret|give Isthmus a new one",
        ),
        case(
            "no-rights",
            &server,
            &ca,
            &format!("token: {without_rights}"),
            REFUSED,
            "it accepts the credential, but it may not ",
            "`isthmus manifests member-rbac`|`isthmus manifests hub-rbac`",
        ),
    ]
}

impl Case {
    /// The remedy differs where the credential is in another place: one of several will do.
    fn assert_names_cause(&self, place: &str, text: &str) {
        assert!(text.contains(self.found), "{} {place}: {:?} is not in {text}", self.name, self.found);
        let remedy = self.remedy.split('|').any(|remedy| text.contains(remedy));
        assert!(remedy, "{} {place}: {:?} is not in {text}", self.name, self.remedy);
        assert!(!text.contains("manifests crds"), "{} {place}: {text}", self.name);
    }

    fn server(&self) -> &str {
        self.kubeconfig.split('\'').nth(1).expect("a server")
    }
}

fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, text).expect("write it");
    file
}

/// What a command prints on standard error, and that it ends with 1.
async fn error_of(command: &str, kubeconfig: &Path) -> String {
    let output = run(&[command, "--hub-kubeconfig", kubeconfig.to_str().expect("UTF-8")]).await;
    assert_eq!(output.status.code(), Some(1), "{command}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("text")
}

/// Waits until `/readyz` is 503 and has this text in it.
async fn until_waits(plane: &Isthmus, text: &str) -> String {
    eventually(&format!("/readyz says {text:?}"), SOON, async || {
        let answer = http::get(plane.admin(), "localhost", "/readyz", SOON).await?;
        if answer.status == 503 && answer.body.contains(text) { Ok(answer.body) } else { Err(answer.body) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_from_the_hub_is_named_everywhere() {
    let _slots = slots::of_clusters(1).await;
    let hub = Cluster::start(ClusterSpec::named("hub").without_controllers()).await;
    let folder = tempfile::tempdir().expect("a folder");
    definitions_missing(&hub).await;
    for case in scripted().into_iter().chain(real(&hub).await) {
        let file = write(&folder, case.name, &case.kubeconfig);
        for command in ["status", "check"] {
            let text = error_of(command, &file).await;
            case.assert_names_cause(command, &text);
            assert!(text.starts_with(&format!("error: the hub {}: ", case.server())), "{}: {text}", case.name);
            // The operator's own server may say its names.
            assert_eq!(text.contains("127.0.0.1: other.example (could"), case.name == "other-name", "{text}");
        }
        let region = Isthmus::region("eu", Source::Hub(&file));
        let waits = until_waits(&region, case.found).await;
        case.assert_names_cause("/readyz of a region", &waits);
        // What holds of every kind is reported once.
        let kinds = if ["no-rights", "web-page"].contains(&case.name) { 4 } else { 1 };
        assert!(waits.matches(case.found).count() <= kinds, "{}: {waits}", case.name);
        case.assert_names_cause("log of a region", &region.log());
        let controller = Isthmus::controller(&file);
        case.assert_names_cause("/readyz of a controller", &until_waits(&controller, case.found).await);
        case.assert_names_cause("log of a controller", &controller.log());
    }
    plugins(&folder, &hub).await;
}

/// The one case in which definitions are to be installed.
async fn definitions_missing(hub: &Cluster) {
    let file = hub.kubeconfig_path();
    for (text, kind) in [(error_of("status", &file).await, "Region"), (error_of("check", &file).await, "Region")] {
        assert!(text.contains(&format!("it does not know {kind} (404)")), "{text}");
        assert!(text.contains("apply what `isthmus manifests crds` prints in the hub"), "{text}");
    }
    let region = Isthmus::region("eu", Source::Hub(&file));
    let text = until_waits(&region, "it does not know regions (404)").await;
    assert!(text.contains("`isthmus manifests crds`"), "{text}");
}

/// Plugins are the operator's own: a failure names the command and its standard error, and not its standard output.
async fn plugins(folder: &TempDir, hub: &Cluster) {
    let (server, ca) = (hub.server_url(), base64(&hub.ca_pem()));
    let with = |command: &str, arguments: &str| {
        let user = format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: {command}, args: [{arguments}]}}"
        );
        kubeconfig(&server, &ca, &user)
    };
    let fails = "-c, 'echo secret-of-plugin; echo please log in first >&2; exit 3'";
    for (name, text, says) in [
        (
            "no-plugin",
            with("no-such-plugin", ""),
            "the credential plugin `no-such-plugin` of the kubeconfig cannot be started: No such file",
        ),
        (
            "plugin-fails",
            with("sh", fails),
            "the credential plugin `sh` of the kubeconfig failed (exit status: 3): please log in first",
        ),
        (
            "plugin-babbles",
            with("echo", "secret-of-plugin"),
            "the credential plugin `echo` of the kubeconfig printed something that is no ExecCredential",
        ),
    ] {
        let text = error_of("status", &write(folder, name, &text)).await;
        assert!(text.contains(says), "{name}: {text}");
        assert!(!text.contains("secret-of-plugin"), "{name}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_from_a_member_is_named_everywhere() {
    let federation = Federation::start(&[]).await;
    federation.hub.apply(&objects::region("eu", &[])).await;
    let controller = federation.controller().await;
    let cases: Vec<Case> = scripted().into_iter().chain(real(&federation.hub).await).collect();
    for (number, case) in (20..).zip(&cases) {
        let (pods, services) = (format!("10.{number}.0.0/16"), format!("10.{}.0.0/16", 100 + number));
        federation.hub.apply(&objects::secret(case.name, "kubeconfig", &case.kubeconfig)).await;
        federation.hub.apply(&objects::member_cluster(case.name, "eu", &[&pods], &[&services])).await;
    }
    for case in &cases {
        let found = case.found;
        let condition = federation
            .until_message(case.name, "Connected", "False", case.reason, found, |condition| {
                condition.message.contains(found)
            })
            .await;
        case.assert_names_cause("condition", &condition.message);
        assert!(condition.message.starts_with(case.server()), "{}: {}", case.name, condition.message);
        // Names in a certificate are its owner's words.
        assert!(!condition.message.contains("other.example"), "{}", condition.message);
        let marker = format!("\"cluster\":\"{}\"", case.name);
        let log = controller.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&marker) && line.contains(found)).collect();
        assert!(!lines.is_empty(), "{}: not in the log", case.name);
        case.assert_names_cause("log", &lines.join("\n"));
    }
}
