//! Commands that end by themselves: help, listings, exit codes, and the message for a wrong argument.

use std::net::TcpListener;

use serde_json::Value;

use super::world::world;
use crate::harness::run;

/// Every command of the surface that there is, with a flag that its help must name.
const COMMANDS: [(&str, &str); 8] = [
    ("demo", "--for"),
    ("controller", "--mirror-out"),
    ("region", "--xds"),
    ("check", "--add"),
    ("status", "--admin"),
    ("proxy", "--dump"),
    ("bench", "--services"),
    ("manifests", "member-rbac"),
];

async fn ended(args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(args).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn help_tells_of_every_command() {
    let (code, all, _) = ended(&["--help"]).await;
    assert_eq!(code, Some(0));
    assert!(all.contains("Exit codes: 0 OK, 1 a problem was found, 2 bad usage or input."), "{all}");
    for (command, flag) in COMMANDS {
        assert!(all.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{command}: {all}");
        let (code, help, errors) = ended(&[command, "--help"]).await;
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{command}");
        assert!(help.contains(&format!("Usage: isthmus {command}")) && help.contains(flag), "{help}");
    }
    let listed = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> =
        listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names[..COMMANDS.len()], COMMANDS.map(|(name, _)| name), "a command without a test");
    let (code, version, _) = ended(&["--version"]).await;
    assert_eq!((code, version.trim()), (Some(0), concat!("isthmus ", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn listings_print_for_people_and_for_programs() {
    let world = world();
    let folder = world.path().to_str().unwrap();
    for command in ["status", "check"] {
        let print = async |format: &str| {
            let (code, text, _) = ended(&[command, "--world", folder, "-o", format]).await;
            assert_eq!(code, Some(0), "{command} -o {format}: {text}");
            text
        };
        let json: Value = serde_json::from_str(&print("json").await).unwrap();
        let yaml: Value = serde_saphyr::from_str(&print("yaml").await).unwrap();
        assert_eq!(json, yaml, "{command}");
        let ids: Vec<&str> = json["members"].as_array().unwrap().iter().filter_map(|m| m["id"].as_str()).collect();
        assert_eq!(ids, ["eu-1", "us-1"], "{command}");
        let table = print("table").await;
        assert!(table.starts_with("CLUSTER   REGION"), "{table}");
        assert_eq!(table, ended(&[command, "--world", folder]).await.1, "the table is what comes unasked");
        assert!(!table.contains('\u{1b}'), "colours only on a terminal");
        for format in ["json", "yaml", "table", "wide"] {
            assert_eq!(print(format).await, print(format).await, "{command} -o {format} is the same each time");
        }
    }
    let (_, wide, _) = ended(&["status", "--world", folder, "-o", "wide"]).await;
    assert!(wide.contains("SERVICE RANGES") && wide.contains("10.101.0.0/16"), "{wide}");
    assert!(wide.ends_with("services: 1; isthmus status services lists them\n"), "{wide}");
    let (_, services, _) = ended(&["status", "services", "--world", folder]).await;
    assert!(
        services.lines().any(|line| line.split_whitespace().eq(["shop/web", "http:80/TCP/http", "2/2", "eu-1"])),
        "{services}"
    );
    let (_, json, _) = ended(&["status", "--world", folder, "-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["serviceCount"], json.get("services")), (&1.into(), None), "only where they are asked for");
    let names = json["regions"].as_array().unwrap().iter().map(|region| region["name"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["eu", "us"]);
}

/// Other kinds and other tools' files make nothing fail. They are counted, and `-v` lists them.
#[tokio::test]
async fn what_is_passed_over_is_counted_and_listed_for_those_who_ask() {
    let world = world();
    let folder = world.path().to_str().unwrap();
    let write = |name: &str, text: &str| {
        let path = world.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    assert!(!ended(&["check", "--world", folder]).await.1.contains("passed over"));
    write(
        "clusters/eu-1/apps/pods.yaml",
        "apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]\n",
    );
    write("kustomization.yaml", "resources: [hub.yaml]\n");
    let listed = ["clusters/eu-1/apps/pods.yaml:3: v1 Pod (2 objects)", "kustomization.yaml:1: no Kubernetes object"];
    for command in ["check", "status"] {
        let (code, out, errors) = ended(&[command, "--world", folder]).await;
        assert_eq!(code, Some(0), "{out}{errors}");
        let all = out + &errors;
        assert!(all.contains("passed over: 3 objects of other kinds (-v lists them)"), "{all}");
        let (code, out, errors) = ended(&[command, "-v", "--world", folder]).await;
        assert_eq!(code, Some(0), "{out}{errors}");
        for line in listed {
            assert!((out.clone() + &errors).contains(&format!("{line}; passed over")), "{line}: {out}{errors}");
        }
    }
    let (_, out, _) = ended(&["check", "--world", folder, "-o", "json"]).await;
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&document["passedOver"], &document["passedOverListed"]), (&3.into(), &Value::Null));
    let (_, out, _) = ended(&["check", "-v", "--world", folder, "-o", "json"]).await;
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["passedOverListed"].as_array().unwrap().len(), 2, "{document}");
}

#[tokio::test]
async fn bad_usage_is_reported_and_exits_with_2() {
    let world = world();
    let folder = world.path().to_str().unwrap();
    let file = world.path().join("hub.yaml");
    let file = file.to_str().unwrap();
    let inside = format!("--mirror-out={folder}/out/mirrors");
    let cases: [(&[&str], &[&str]); 26] = [
        (&[], &["Usage: isthmus"]),
        (&["fly"], &["unrecognized subcommand 'fly'"]),
        (&["region", "--world", folder], &["--region <REGION>"]),
        (&["region", "--region", "EU", "--world", folder], &["--region", "\"EU\""]),
        (&["region", "--region=eu", "--world=/no/such"], &["--world: /no/such is not a folder", "docs/world.md"]),
        (&["region", "--region=eu", "--world", file], &["--world: ", "hub.yaml is not a folder"]),
        (
            &["region", "--region=eu", "--world", folder, "--xds=0.0.0.0:15010"],
            &["--xds: 0.0.0.0:15010", "--allow-plaintext"],
        ),
        (&["region", "--region=eu", "--world", folder, "--xds=localhost"], &["--xds <ADDRESS>", "'localhost'"]),
        (
            &["region", "--region=eu", "--world", folder, "--allow-member-cidrs=localhost"],
            &["--allow-member-cidrs <CIDR>", "'localhost'"],
        ),
        (&["region", "--region=eu", "--world", folder, "--max-member-objects=0"], &["--max-member-objects", "'0'"]),
        (&["region", "--region=eu", "--world", folder, "--sync-deadline=0"], &["--sync-deadline", "1..=3600"]),
        (
            &["region", "--region=eu", "--world", folder, "--xds-tls=127.0.0.1:0"],
            &["--xds-tls: found 127.0.0.1:0 without a certificate", "--tls-cert", "--tls-secret"],
        ),
        (&["region", "--region=eu", "--world", folder, "--tls-cert", file], &["--tls-key <FILE>"]),
        (&["region", "--region=eu", "--world", folder, "--tls-secret=eu"], &["--tls-secret <NAME>", "--world <DIR>"]),
        (
            &[
                "region",
                "--region=eu",
                "--world",
                folder,
                "--xds=127.0.0.1:0",
                "--admin=127.0.0.1:0",
                "--xds-tls=127.0.0.1:0",
                "--tls-cert",
                file,
                "--tls-key=/no/such",
            ],
            &["--tls-key: found /no/such: No such file"],
        ),
        (&["region", "--region=eu", "--hub-kubeconfig=/no/such"], &["--hub-kubeconfig: /no/such"]),
        (
            &["region", "--region=eu", "--world", folder, "--secrets-namespace=isthmus-regions"],
            &["--secrets-namespace <NAMESPACE>", "--world <DIR>"],
        ),
        (&["region", "--region=eu", "--secrets-namespace=A"], &["--secrets-namespace: ", "\"A\""]),
        (&["region", "--region=eu", "--namespace=A"], &["--namespace: ", "\"A\""]),
        (&["manifests"], &["--image: found nothing", "Dockerfile"]),
        (&["manifests", "crds", "--image=a:1"], &["--image: `crds` does not depend on it"]),
        (&["controller", "--world", folder], &["--mirror-out DIR"]),
        (
            &["controller", "--world", folder, &inside],
            &["--mirror-out: ", "lies in the folder of --world; expected one outside"],
        ),
        (&["check", "--world", folder, "--add=/no/such"], &["--add: /no/such is not a file"]),
        (&["status", "--admin=127.0.0.1:15014"], &["--admin: \"127.0.0.1:15014\"", "http://127.0.0.1:15014"]),
        (&["status", "--world", folder, "-o", "xml"], &["'xml'", "table, wide, json, yaml"]),
    ];
    for (args, words) in cases {
        let (code, out, errors) = ended(args).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {errors}");
        for word in words {
            assert!(errors.contains(word), "{args:?} says {errors:?}, expected {word:?}");
        }
    }
}

#[tokio::test]
async fn an_address_in_use_is_reported_with_the_flag_that_helps() {
    let world = world();
    let folder = world.path().to_str().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let other = "127.0.0.1:0".to_owned();
    for (flag, xds, admin) in [("--xds", &taken, &other), ("--admin", &other, &taken)] {
        let args = ["region", "--region=eu", "--world", folder, "--xds", xds, "--admin", admin];
        let (code, _, errors) = ended(&args).await;
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains(&taken) && errors.contains(flag), "{errors}");
        assert_eq!(errors.matches("Address already in use").count(), 1, "{errors}");
    }
    drop(holder); // now nothing listens there
    let (code, _, errors) = ended(&["status", &format!("--admin=http://{taken}")]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("is --admin the admin address of a running isthmus?"), "{errors}");
}
