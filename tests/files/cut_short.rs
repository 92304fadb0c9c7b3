//! A dump of a thousand services that a failed command overwrites, under a running process: no service is lost, and the file
//! and the reason are named by the process and by `check`.

use std::path::Path;

use crate::harness::{Isthmus, SOON, Source, objects, run};
use crate::testbed::eventually;

const SERVICES: usize = 1_000;
const DUMP: &str = "clusters/eu-1/dump.yaml";

#[tokio::test]
async fn a_dump_that_is_cut_short_loses_nothing_and_is_named() {
    let world = tempfile::tempdir().unwrap();
    let hub = objects::region("eu", &[]) + &objects::member_cluster("eu-1", "eu", &["10.1.0.0/16"], &["10.101.0.0/16"]);
    std::fs::write(world.path().join("hub.yaml"), hub).unwrap();
    std::fs::create_dir_all(world.path().join("clusters/eu-1")).unwrap();
    let dump = dump();
    write(world.path(), &dump);
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    has_all(&region).await;

    let cut = |mark: &str| dump.get(..dump.find(mark).unwrap()).unwrap().to_owned();
    let half = dump.get(..dump.len() / 2).unwrap().to_owned();
    let states = [
        (String::new(), "an empty file"),
        (half, "valid YAML or JSON; what it held before stays"),
        // At the end of a line, between two items: what is left is YAML.
        (
            cut(
                "- apiVersion: v1\n  kind: Service\n  metadata:\n    labels: {isthmus.dev/federate: 'true'}\n    name: s500\n",
            ),
            "without a kind",
        ),
        (cut("kind: List"), "without a kind"),
        (
            "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"message\": \"etcd leader changed\"}".to_owned(),
            "etcd leader changed",
        ),
    ];
    for (text, reason) in states {
        write(world.path(), &text);
        let page = eventually("the file is named", SOON, async || {
            let page = region.page("/debug/problems").await;
            if page.contains(DUMP) && page.contains(reason) { Ok(page) } else { Err(page) }
        })
        .await;
        assert!(page.contains("File"), "{page}");
        has_all(&region).await;
        let output = run(&["check", "--world", &world.path().to_string_lossy()]).await;
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        let line = printed.lines().find(|line| line.contains(DUMP)).unwrap_or_else(|| panic!("{printed}"));
        assert!(line.contains(reason), "{printed}");
        // Repaired, and read as before.
        write(world.path(), &dump);
        eventually("nothing is wrong", SOON, async || match region.page("/debug/problems").await {
            page if page.contains(DUMP) => Err(page),
            _ => Ok(()),
        })
        .await;
        has_all(&region).await;
    }

    // A process that starts with such a file does not take the member for an empty one.
    write(world.path(), "");
    let late = Isthmus::region_with("eu", Source::Folder(world.path()), &["--sync-deadline=1".to_owned()]);
    eventually("it says what it does not know", SOON, async || {
        let page = late.try_page("/readyz").await?;
        if page.contains("eu-1: KindUnreadable") && page.contains("dump.yaml: found an empty file") {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    write(world.path(), &dump);
    has_all(&late).await;
    // And what is meant to be empty is.
    write(world.path(), "# no services any more\n");
    eventually("all are gone", SOON, async || match late.services().await.len() {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    region.invariants_hold().await;
    late.invariants_hold().await;
    region.must_run();
}

async fn has_all(region: &Isthmus) {
    eventually("all services are there", SOON, async || match region.services().await.len() {
        SERVICES => Ok(()),
        found => Err(found),
    })
    .await;
}

/// As a shell does it: emptied, then written.
fn write(world: &Path, text: &str) {
    std::fs::write(world.join(DUMP), text).unwrap();
}

/// As `kubectl get services,endpointslices -A -o yaml` prints it.
fn dump() -> String {
    let items = (0..SERVICES).map(|n| {
        format!(
            "- apiVersion: v1\n  kind: Service\n  metadata:\n    labels: {{isthmus.dev/federate: 'true'}}\n    name: s{n}\n    \
             namespace: shop\n  spec:\n    ports:\n    - name: http\n      port: 80\n      protocol: TCP\n    type: ClusterIP\n"
        )
    });
    format!("apiVersion: v1\nitems:\n{}kind: List\nmetadata:\n  resourceVersion: \"\"\n", items.collect::<String>())
}
