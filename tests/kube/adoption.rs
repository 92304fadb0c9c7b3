//! A mirror is there before the object it mirrors: the same chart, or the same manifest, is deployed to a second
//! cluster later. The real `helm` and `kubectl` must be able to do that, and what they installed is then theirs alone.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Service;

use crate::harness::{Federation, Member, Scene, objects, still};

const IDS: [&str; 3] = ["eu-1", "us-1", "ap-1"];
const WINDOW: std::time::Duration = std::time::Duration::from_secs(3);

/// A chart with one Service: the usual kind, whose named target differs from what a mirror has by default.
fn chart(federation: &Federation, name: &str, spec: &str) -> PathBuf {
    let folder = federation.path(name);
    std::fs::create_dir_all(folder.join("templates")).expect("a folder");
    std::fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"))
        .expect("Chart.yaml");
    std::fs::write(folder.join("values.yaml"), "port: 80\n").expect("values.yaml");
    let service = format!(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  labels: {{isthmus.dev/federate: 'true', \
         helm.sh/chart: {name}}}\nspec: {spec}\n"
    );
    std::fs::write(folder.join("templates/service.yaml"), service).expect("service.yaml");
    folder
}

async fn helm(member: &Member, args: &[&str]) -> String {
    member.cluster.helm(args).await.unwrap_or_else(|error| panic!("{error}"))
}

fn path(chart: &Path) -> &str {
    chart.to_str().expect("a path")
}

fn is_let_go(service: &Service) -> bool {
    let metadata = &service.metadata;
    let annotations = metadata.annotations.iter().flatten();
    annotations.filter(|(key, _)| key.starts_with("isthmus.dev/")).count() == 0
        && objects::label(metadata, "isthmus.dev/mirror").is_none()
        && !objects::managers(metadata).contains(&objects::MANAGER)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_installs_over_its_own_mirror() {
    let federation = Federation::joined(&IDS).await;
    let _controller = federation.controller().await;
    federation.all_ready().await;
    let usual = chart(
        &federation,
        "usual",
        "{selector: {app: web}, ports: [{name: http, port: {{ .Values.port }}, targetPort: web}]}",
    );
    // Without a selector, and with nothing but the port that the mirror has as well: its endpoints are made by hand.
    let bare = chart(&federation, "bare", "{ports: [{name: http, port: {{ .Values.port }}}]}");
    let ways = [
        ("server", &usual, "true"),
        ("client", &usual, "false"),
        ("bare-server", &bare, "true"),
        ("bare-client", &bare, "false"),
    ];
    futures::future::join_all(
        ways.map(|(namespace, chart, server_side)| one_way(&federation, namespace, path(chart), server_side)),
    )
    .await;
}

async fn one_way(federation: &Federation, namespace: &str, chart: &str, server_side: &str) {
    let [eu, us, ap] = IDS.map(|id| federation.member(id));
    let server_side = format!("--server-side={server_side}");
    let install = ["install", "web", chart, "-n", namespace, "--create-namespace", &server_side];
    helm(eu, &install).await;
    let mirror = us.until_mirror(namespace, "web", &["eu-1"]).await;
    assert_eq!(objects::label(&mirror.metadata, "app.kubernetes.io/managed-by"), Some("Helm"));

    // The namespace is there as well, which `--create-namespace` accepts.
    helm(us, &install).await;
    let own = us.until_service(namespace, "web", "is let go", is_let_go).await;
    assert_eq!(own.metadata.uid, mirror.metadata.uid, "it was adopted, not replaced");
    assert_eq!(objects::ports(&own), [("http", 80, "TCP")]);
    assert_eq!(objects::label(&own.metadata, "app.kubernetes.io/managed-by"), Some("Helm"), "Helm's own marks stay");
    ap.until_mirror(namespace, "web", &["eu-1", "us-1"]).await;

    // From now on it is Helm's, revision by revision.
    let ports = async |port: i32| {
        us.until_service(namespace, "web", "has the port", |found| objects::ports(found) == [("http", port, "TCP")])
            .await
    };
    helm(us, &["upgrade", "web", chart, "-n", namespace, "--set", "port=81"]).await;
    ports(81).await;
    helm(us, &["rollback", "web", "1", "-n", namespace]).await;
    ports(80).await;
    still("a Service that Helm adopted", WINDOW, async || {
        let found = us.service(namespace, "web").await.expect("it stays");
        Scene::of("web", &objects::version(&found.metadata))
    })
    .await;
    helm(us, &["uninstall", "web", "-n", namespace]).await;
    let again = us.until_mirror(namespace, "web", &["eu-1"]).await;
    assert_ne!(again.metadata.uid, own.metadata.uid);
    // And once more, which must work like the first time.
    helm(us, &install).await;
    us.until_service(namespace, "web", "is let go again", is_let_go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_another_name_is_refused_and_can_be_prepared() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let _controller = federation.controller().await;
    federation.all_ready().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    let chart = chart(&federation, "web", "{selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}]}");
    // The source belongs to no release, so its mirror names none either.
    eu.serve("shop", "web", 1).await;
    let mirror = us.until_mirror("shop", "web", &["eu-1"]).await;
    assert_eq!(objects::label(&mirror.metadata, "app.kubernetes.io/managed-by"), Some("isthmus"));
    let install = ["install", "mine", path(&chart), "-n", "shop"];
    let refused = us.cluster.helm(&install).await.expect_err("Helm does not know it");
    assert!(refused.contains("invalid ownership metadata"), "{refused}");
    // What Helm's users do in such a case: the marks that they write are not put back.
    let names = ["meta.helm.sh/release-name=mine", "meta.helm.sh/release-namespace=shop"];
    us.cluster.kubectl(&[&["annotate", "-n", "shop", "service", "web"][..], &names].concat()).await;
    let label = ["label", "--overwrite", "-n", "shop", "service", "web", "app.kubernetes.io/managed-by=Helm"];
    us.cluster.kubectl(&label).await;
    still("marks that prepare an adoption", WINDOW, async || {
        let found = us.service("shop", "web").await.expect("it stays");
        Scene::of("web", &(&found.metadata.labels, &found.metadata.annotations))
    })
    .await;
    helm(us, &install).await;
    us.until_service("shop", "web", "is let go", is_let_go).await;
    assert_eq!(eu.service("shop", "web").await.map(|found| is_let_go(&found)), Some(true), "its source is as it was");
}

/// Every way in which kubectl's users put an object in the place of a mirror.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_is_applied_over_a_mirror() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let _controller = federation.controller().await;
    federation.all_ready().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    let ways: [(&str, &[&str]); 4] = [
        ("apply", &["apply", "-f"]),
        ("server", &["apply", "--server-side", "-f"]),
        ("force", &["apply", "--server-side", "--force-conflicts", "-f"]),
        ("replace", &["replace", "-f"]),
    ];
    let specs = [
        ("bare", "ports: [{name: http, port: 80}]"),
        ("used", "selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}]"),
        // Only its own port stays, not those of the mirror.
        ("other", "ports: [{name: web, port: 8080}]"),
    ];
    for (way, args) in ways {
        for (kind, spec) in specs {
            let name = format!("{way}-{kind}");
            eu.serve("shop", &name, 1).await;
            let mirror = us.until_mirror("shop", &name, &["eu-1"]).await;
            let file = federation.file(&format!("{name}.yaml"), &objects::service("shop", &name, "team: blue", spec));
            let file = file.display().to_string();
            let created = us.cluster.try_kubectl(&["create", "-f", &file]).await.expect_err("it is there");
            assert!(created.contains("AlreadyExists") || created.contains("already exists"), "{created}");
            us.cluster.kubectl(&[args, &[file.as_str()]].concat()).await;
            let own = us.until_service("shop", &name, "is let go", is_let_go).await;
            assert_eq!(own.metadata.uid, mirror.metadata.uid);
            let port = if kind == "other" { ("web", 8080, "TCP") } else { ("http", 80, "TCP") };
            assert_eq!(objects::ports(&own), [port], "{name}");
            assert_eq!(objects::label(&own.metadata, "app.kubernetes.io/managed-by"), None, "nothing of ours is left");
            // Its source goes: it is not a mirror and stays.
            eu.withdraw("shop", &name).await;
        }
    }
    still("Services that were applied over mirrors", WINDOW, async || {
        federation.scene_in(&["us-1"]).await.only(&["Service shop/"])
    })
    .await;
    // The same with a Namespace: it is there, and creating it is refused with that reason.
    let created = us.cluster.try_kubectl(&["create", "namespace", "shop"]).await.expect_err("it is there");
    assert!(created.contains("already exists"), "{created}");
}
