use std::net::IpAddr;

use federation::model::{Namespace, RegionId};
use serde_json::Value;

use super::image::NotAnImage;
use super::*;

fn deployments(image: &str, namespace: &str, secrets: &str) -> Deployments {
    let image: Image = image.parse().unwrap();
    Deployments {
        places: places(namespace, secrets),
        pull_policy: PullPolicy::of(&image),
        image,
        replicas: 3,
        regions: ["eu", "us"].map(|name| RegionId::new(name).unwrap()).to_vec(),
    }
}

fn places(namespace: &str, secrets: &str) -> Places {
    Places { namespace: Namespace::new(namespace).unwrap(), secrets: Namespace::new(secrets).unwrap() }
}

fn objects(text: &str) -> Vec<Value> {
    assert!(!text.contains('$'), "a word that was not filled in: {text}");
    serde_saphyr::from_multiple(text).unwrap()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let fits = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(fits).unwrap_or_else(|| panic!("no {kind} {name}"))
}

#[test]
fn images_are_references_and_nothing_else() {
    let policies = [
        ("isthmus", PullPolicy::Always),
        ("isthmus:latest", PullPolicy::Always),
        ("registry.example:5000/mesh/isthmus", PullPolicy::Always),
        ("registry.example:5000/mesh/isthmus:latest", PullPolicy::Always),
        ("isthmus:1.2.3", PullPolicy::IfNotPresent),
        ("registry.example:5000/mesh/isthmus:latest-1", PullPolicy::IfNotPresent),
        ("registry.example/isthmus@sha256:0123abcd", PullPolicy::IfNotPresent),
        ("registry.example/isthmus:latest@sha256:0123abcd", PullPolicy::IfNotPresent),
    ];
    for (text, policy) in policies {
        assert_eq!(PullPolicy::of(&text.parse().unwrap()), policy, "{text}");
    }
    let long = "a".repeat(513);
    for text in
        ["", " ", "a b", "a\nb: c", "a\"", "a'", "$IMAGE", "a{b}", "a#b", "-a", "a:", "a//b", "https://a/b", &long]
    {
        assert_eq!(text.parse::<Image>(), Err(NotAnImage), "{text:?}");
    }
}

#[test]
fn every_region_has_a_control_plane_of_its_own() {
    let text = deployments("registry.example/isthmus:1", "isthmus-system", "isthmus-system").render();
    let objects = objects(&text);
    for (name, args) in [
        ("isthmus-controller", vec!["controller", "--probes=0.0.0.0:15021", "--log-format=json"]),
        (
            "isthmus-region-eu",
            vec![
                "region",
                "--region=eu",
                "--tls-secret=isthmus-region-eu-tls",
                "--probes=0.0.0.0:15021",
                "--log-format=json",
            ],
        ),
        (
            "isthmus-region-us",
            vec![
                "region",
                "--region=us",
                "--tls-secret=isthmus-region-us-tls",
                "--probes=0.0.0.0:15021",
                "--log-format=json",
            ],
        ),
    ] {
        let deployment = find(&objects, "Deployment", name);
        assert_eq!(deployment["spec"]["replicas"], 3);
        let pod = &deployment["spec"]["template"];
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["args"], serde_json::json!(args));
        assert_eq!(
            (&container["image"], &container["imagePullPolicy"]),
            (&"registry.example/isthmus:1".into(), &"IfNotPresent".into())
        );
        let budget = find(&objects, "PodDisruptionBudget", name);
        assert_eq!(budget["spec"]["selector"], deployment["spec"]["selector"]);
        for spread in pod["spec"]["topologySpreadConstraints"].as_array().unwrap() {
            for (label, value) in spread["labelSelector"]["matchLabels"].as_object().unwrap() {
                assert_eq!(pod["metadata"]["labels"][label], *value, "{name}: spread among its own pods");
            }
        }
        // Prometheus finds the port that serves metrics.
        let scraped: u64 = pod["metadata"]["annotations"]["prometheus.io/port"].as_str().unwrap().parse().unwrap();
        let ports = container["ports"].as_array().unwrap();
        assert!(ports.iter().any(|port| port["name"] == "probes" && port["containerPort"] == scraped));
    }
    let kinds = objects.iter().filter(|object| object["kind"] == "Deployment").count();
    assert_eq!(kinds, 3);
}

#[test]
fn namespaces_are_the_same_in_roles_and_in_flags() {
    let own = deployments("a:1", "mesh", "mesh-regions");
    let objects = objects(&[own.render(), hub_rbac(&own.places)].join(NEXT));
    let args = |name: &str| {
        let args = &find(&objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]["args"];
        args.as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(args("isthmus-controller").contains(&"--namespace=mesh".to_owned()));
    assert!(!args("isthmus-controller").iter().any(|arg| arg.contains("secrets")));
    for flag in ["--namespace=mesh", "--secrets-namespace=mesh-regions"] {
        assert!(args("isthmus-region-us").contains(&flag.to_owned()), "{flag}");
    }
    let namespaces: Vec<_> = objects.iter().filter(|object| object["kind"] == "Namespace").collect();
    assert_eq!(namespaces.len(), 2);
    // Each account reads Secrets in one namespace.
    let reads = |account: &str| -> Vec<&str> {
        let bound = objects
            .iter()
            .filter(|object| object["kind"] == "RoleBinding")
            .filter(|binding| binding["subjects"].as_array().unwrap().iter().any(|subject| subject["name"] == account));
        let of_secrets = bound.filter(|binding| {
            let role = find(&objects, "Role", binding["roleRef"]["name"].as_str().unwrap());
            role["rules"].as_array().unwrap().iter().any(|rule| rule["resources"][0] == "secrets")
        });
        of_secrets.map(|binding| binding["metadata"]["namespace"].as_str().unwrap()).collect()
    };
    assert_eq!((reads("isthmus-controller"), reads("isthmus-region")), (vec!["mesh"], vec!["mesh-regions"]));

    let one = places("isthmus-system", "isthmus-system");
    let alone = self::objects(&hub_rbac(&one));
    assert_eq!(alone.iter().filter(|object| object["kind"] == "Namespace").count(), 1, "one namespace, named once");
}

#[test]
fn an_address_of_each_family_is_in_a_slice_of_its_own() {
    let region = RegionId::new("eu").unwrap();
    let slices = |addresses: &[&str]| -> Vec<(String, Vec<String>)> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let objects = objects(&region_address(&region, &addresses));
        assert_eq!(objects[0]["spec"]["clusterIP"], "None");
        let slice = |slice: &Value| {
            assert_eq!(slice["metadata"]["labels"]["kubernetes.io/service-name"], objects[0]["metadata"]["name"]);
            let endpoints = slice["endpoints"].as_array().unwrap();
            let of = |endpoint: &Value| endpoint["addresses"][0].as_str().unwrap().to_owned();
            (slice["addressType"].as_str().unwrap().to_owned(), endpoints.iter().map(of).collect())
        };
        objects[1..].iter().map(slice).collect()
    };
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(slices(&["10.0.0.1"]), [("IPv4".to_owned(), list(&["10.0.0.1"]))]);
    assert_eq!(slices(&["fd00::1"]), [("IPv6".to_owned(), list(&["fd00::1"]))]);
    assert_eq!(
        slices(&["10.0.0.1", "fd00::1", "10.0.0.2"]),
        [("IPv4".to_owned(), list(&["10.0.0.1", "10.0.0.2"])), ("IPv6".to_owned(), list(&["fd00::1"]))]
    );
}

/// Names that YAML takes for something else than text.
#[test]
fn names_stay_names() {
    for name in ["on", "true", "null", "1", "1e3", "0x1"] {
        let mut all = deployments("1:1", name, "no");
        all.regions = vec![RegionId::new(name).unwrap()];
        let objects = objects(&[all.render(), hub_rbac(&all.places)].join(NEXT));
        for object in &objects {
            let namespace = &object["metadata"]["namespace"];
            assert!(namespace.is_null() || namespace == name || namespace == "no", "{object}");
        }
        let region = find(&objects, "Deployment", &format!("isthmus-region-{name}"));
        assert_eq!(region["spec"]["selector"]["matchLabels"]["isthmus.dev/region"], name);
        find(&objects, "Namespace", name);
        find(&objects, "Namespace", "no");
    }
}
