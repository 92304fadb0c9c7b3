use clap::Parser;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    bench: BenchArgs,
}

fn plan(args: &[&str]) -> Result<Plan, String> {
    let cli = Cli::try_parse_from([&["bench"], args].concat()).map_err(|error| error.to_string())?;
    Plan::new(cli.bench).map_err(|error| error.to_string())
}

#[test]
fn no_flag_is_required() {
    let plan = plan(&[]).expect("a plan");
    assert_eq!((plan.federation.services, plan.federation.endpoints, plan.federation.clusters), (1_000, 10, 3));
    assert_eq!(plan.scenarios, Scenario::CHEAP);
    assert_eq!((plan.variant, plan.subscribe), (Variant::Delta, Subscribe::All));
    assert_eq!((plan.client, plan.every), (ClientKind::Quiet, Duration::ZERO));
}

#[test]
fn a_refused_flag_is_explained_with_what_is_accepted() {
    let cases: [(&[&str], &str); 12] = [
        (&["--services=0"], "from 1 to 200000"),
        (&["--clients=20001"], "from 1 to 20000"),
        (&["--tcp-percent=101"], "from 0 to 100"),
        (&["--subscribe=none"], "\"all\" or a number"),
        (&["--for=soon"], "such as 30s"),
        (&["--every=-1s"], "from 0s to 24h"),
        (&["--client=loud"], "quiet, grpc"),
        (&["--subscribe=2000"], "1000 services"),
        (&["--subscribe=10", "--variant=sotw"], "--variant delta"),
        (&["--leds", "--variant=sotw"], "--variant delta"),
        (&["--classes=7"], "3 clusters with 2 zones"),
        (&["--services=200000", "--endpoints=1000"], "4000000"),
    ];
    for (args, words) in cases {
        let text = plan(args).expect_err("a refusal");
        assert!(text.contains(words), "{args:?} says {text:?}, expected {words:?}");
    }
}
