use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn rendered(line: &str) -> Result<String, String> {
    let words = std::iter::once("manifests").chain(line.split_whitespace());
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    render(&cli.args).map_err(|error| error.0)
}

#[test]
fn what_is_missing_or_means_nothing_is_refused() {
    let long = "r".repeat(MAX_REGION_LEN + 1);
    let long = format!("deployments --image a:1 --region {long}");
    let cases = [
        ("", "--image: found nothing"),
        ("all --region eu", "--image: found nothing"),
        ("deployments --region eu", "No image is published"),
        ("deployments --image a:1", "--region: found nothing; expected the name of each Region"),
        ("deployments --image a{b} --region eu", "--image: found \"a{b}\"; expected a reference to an image"),
        ("deployments --image a:1 --region eu --region eu", "--region: found \"eu\" again"),
        ("deployments --image a:1 --region EU", "--region: "),
        (long.as_str(), "expected 48 at most"),
        ("deployments --image a:1 --region eu --replicas 0", "0 is not in 1..=1000"),
        ("deployments --image a:1 --region eu --image-pull-policy Sometimes", "IfNotPresent"),
        ("deployments --image a:1 --region eu --namespace a.b", "--namespace: "),
        ("hub-rbac --secrets-namespace A", "--secrets-namespace: "),
        ("crds --image a:1", "--image: `crds` does not depend on it"),
        ("crds --namespace mesh", "--namespace: `crds` does not depend on it"),
        ("hub-rbac --region eu", "--region: `hub-rbac` does not depend on it"),
        ("hub-rbac --replicas 3", "--replicas: `hub-rbac` does not depend on it"),
        ("member-rbac --namespace mesh", "in members everything is in namespace isthmus-system"),
        ("deployments --image a:1 --region eu --address 10.0.0.1", "--address: `deployments` does not depend on it"),
        ("region-address --region eu", "--address: found 0 addresses"),
        ("region-address --address 10.0.0.1", "--region: found 0 regions"),
        ("region-address --region eu --region us --address 10.0.0.1", "--region: found 2 regions"),
        ("region-address --region eu --address 127.0.0.1", "127.0.0.1, which is no address of another machine"),
        ("region-address --region eu --address fe80::1", "fe80::1, which is no address of another machine"),
        ("region-address --region eu --address 10.0.0.1 --address 10.0.0.1", "found 10.0.0.1 again"),
        ("region-address --region eu --address lb.example", "invalid value 'lb.example'"),
    ];
    for (line, expected) in cases {
        let error = rendered(line).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }
}

#[test]
fn what_is_given_is_printed() {
    let text = rendered("--image registry.example/isthmus:1 --region eu --region us --replicas 5").unwrap();
    assert_eq!(text, rendered("all --image registry.example/isthmus:1 --region eu --region us --replicas 5").unwrap());
    assert!(text.contains("kind: CustomResourceDefinition") && text.contains("kind: ClusterRole"));
    assert_eq!(text.matches("replicas: 5").count(), 3);
    assert_eq!(text.matches("imagePullPolicy: IfNotPresent").count(), 3);
    let never = rendered("deployments --image isthmus --region eu --image-pull-policy never").unwrap();
    assert_eq!(never.matches("imagePullPolicy: Never").count(), 2);
    assert!(rendered("region-address --region eu --address 10.0.0.1").unwrap().contains("isthmus-region-eu-ipv4"));
}
