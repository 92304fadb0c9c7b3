//! `isthmus manifests`: what gets installed, to be reviewed before it is applied.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::process::ExitCode;

use clap::ValueEnum;
use clusters::api::SYSTEM_NAMESPACE;
use clusters::manifests::{self, Deployments, Image, MAX_ADDRESSES, MAX_REGION_LEN, Places, PullPolicy};
use federation::model::{Namespace, RegionId};

use crate::outcome::{self, BadUsage};

/// Prints what gets installed, as YAML for kubectl. docs/operations.md shows how.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// What to print.
    #[arg(value_enum, default_value_t)]
    part: Part,
    /// The image to run, such as registry.example/mesh/isthmus:1.2.3. There is no published one: build it from the
    /// Dockerfile.
    #[arg(long, value_name = "REFERENCE")]
    image: Option<String>,
    /// When nodes pull it. [default: IfNotPresent for a tag or a digest; Always for :latest or no tag at all, so that for
    /// an image that was loaded into the nodes under such a name this has to be given]
    #[arg(long, value_name = "POLICY", value_enum, ignore_case = true)]
    image_pull_policy: Option<Pull>,
    /// A region that gets a control plane. May be repeated; name all of them, each time.
    #[arg(long, value_name = "NAME")]
    region: Vec<String>,
    /// Replicas of the controller and of each region's control plane. [default: 2]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1000))]
    replicas: Option<u16>,
    /// Isthmus's own namespace in the hub. [default: isthmus-system]
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Where regions read Secrets: read-only credentials for members, and certificates. One of their own keeps the
    /// controller's credentials away from them. [default: that of --namespace]
    #[arg(long, value_name = "NAMESPACE")]
    secrets_namespace: Option<String>,
    /// With region-address: an address at which pods of the member reach the region's control plane, inside the network.
    /// May be repeated.
    #[arg(long, value_name = "IP")]
    address: Vec<IpAddr>,
}

/// The values of `imagePullPolicy`, as Kubernetes spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pull {
    #[value(name = "IfNotPresent")]
    IfNotPresent,
    #[value(name = "Always")]
    Always,
    #[value(name = "Never")]
    Never,
}

impl From<Pull> for PullPolicy {
    fn from(pull: Pull) -> Self {
        match pull {
            Pull::IfNotPresent => Self::IfNotPresent,
            Pull::Always => Self::Always,
            Pull::Never => Self::Never,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Everything for the hub cluster: definitions, RBAC, Deployments.
    #[default]
    All,
    /// Custom resource definitions.
    Crds,
    /// Accounts and roles of the controller and the regional control planes in the hub cluster.
    HubRbac,
    /// Accounts and roles that a member cluster gives to Isthmus: one that writes mirrors, one that only reads.
    MemberRbac,
    /// Deployments and Services in the hub cluster.
    Deployments,
    /// For a member cluster: the name by which its proxies find their region's control plane.
    RegionAddress,
}

impl Part {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The flags that say something about it.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::All | Self::Deployments => {
                &["image", "image-pull-policy", "region", "replicas", "namespace", "secrets-namespace"]
            }
            Self::HubRbac => &["namespace", "secrets-namespace"],
            Self::RegionAddress => &["region", "address"],
            Self::Crds | Self::MemberRbac => &[],
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    anstream::print!("{}", render(args)?);
    Ok(outcome::OK)
}

fn render(args: &Args) -> Result<String, BadUsage> {
    refuse_what_means_nothing(args)?;
    Ok(match args.part {
        Part::All => {
            let deployments = deployments(args)?;
            [manifests::crds(), manifests::hub_rbac(&deployments.places), deployments.render()].join("---\n")
        }
        Part::Crds => manifests::crds(),
        Part::HubRbac => manifests::hub_rbac(&places(args)?),
        Part::MemberRbac => manifests::MEMBER_RBAC.to_owned(),
        Part::Deployments => deployments(args)?.render(),
        Part::RegionAddress => region_address(args)?,
    })
}

/// A flag that would be ignored is a mistake somewhere.
fn refuse_what_means_nothing(args: &Args) -> Result<(), BadUsage> {
    let Args { part, image, image_pull_policy, region, replicas, namespace, secrets_namespace, address } = args;
    let given = [
        ("image", image.is_some()),
        ("image-pull-policy", image_pull_policy.is_some()),
        ("region", !region.is_empty()),
        ("replicas", replicas.is_some()),
        ("namespace", namespace.is_some()),
        ("secrets-namespace", secrets_namespace.is_some()),
        ("address", !address.is_empty()),
    ];
    for (flag, given) in given {
        if given && !part.flags().contains(&flag) {
            let why = match (part, flag) {
                (Part::MemberRbac | Part::RegionAddress, "namespace") => {
                    format!("; in members everything is in namespace {SYSTEM_NAMESPACE}")
                }
                _ => String::new(),
            };
            return Err(BadUsage(format!("--{flag}: `{}` does not depend on it, so leave it out{why}", part.name())));
        }
    }
    Ok(())
}

fn deployments(args: &Args) -> Result<Deployments, BadUsage> {
    let Some(image) = &args.image else {
        let text = "--image: found nothing; expected the image to run, such as --image registry.example/mesh/isthmus:1.2.3. \
                    No image is published: build one with the Dockerfile and push it where the hub's nodes can pull it. \
                    (`all`, which is the default, and `deployments` need it, the other parts do not)";
        return Err(BadUsage(text.to_owned()));
    };
    let image: Image = image.parse().map_err(|error| BadUsage(format!("--image: found {image:?}; {error}")))?;
    let pull_policy = args.image_pull_policy.map(PullPolicy::from).unwrap_or_else(|| PullPolicy::of(&image));
    let regions = regions(args)?;
    if regions.is_empty() {
        let text = "--region: found nothing; expected the name of each Region that gets a control plane here, such as \
                    --region eu --region us";
        return Err(BadUsage(text.to_owned()));
    }
    Ok(Deployments { places: places(args)?, image, pull_policy, replicas: args.replicas.unwrap_or(2), regions })
}

fn regions(args: &Args) -> Result<Vec<RegionId>, BadUsage> {
    let mut regions: Vec<RegionId> = Vec::new();
    for name in &args.region {
        let region = RegionId::new(name).map_err(|error| BadUsage(format!("--region: {error}")))?;
        if name.len() > MAX_REGION_LEN {
            let text = format!(
                "--region: found {name:?} of {} characters; expected {MAX_REGION_LEN} at most, because a Service is called \
                 isthmus-region-<name>",
                name.len()
            );
            return Err(BadUsage(text));
        }
        if regions.contains(&region) {
            return Err(BadUsage(format!("--region: found {name:?} again; expected each region once")));
        }
        regions.push(region);
    }
    Ok(regions)
}

fn places(args: &Args) -> Result<Places, BadUsage> {
    let named = |flag: &str, name: &str| Namespace::new(name).map_err(|error| BadUsage(format!("--{flag}: {error}")));
    let namespace = named("namespace", args.namespace.as_deref().unwrap_or(SYSTEM_NAMESPACE))?;
    let secrets = match &args.secrets_namespace {
        Some(name) => named("secrets-namespace", name)?,
        None => namespace.clone(),
    };
    Ok(Places { namespace, secrets })
}

fn region_address(args: &Args) -> Result<String, BadUsage> {
    let regions = regions(args)?;
    let [region] = regions.as_slice() else {
        let text = format!(
            "--region: found {} regions; expected the one whose control plane has these addresses",
            regions.len()
        );
        return Err(BadUsage(text));
    };
    let addresses = &args.address;
    if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
        let text = format!(
            "--address: found {} addresses; expected 1 to {MAX_ADDRESSES}, each one at which pods of the member reach the \
             control plane inside the network",
            addresses.len()
        );
        return Err(BadUsage(text));
    }
    for (at, address) in addresses.iter().enumerate() {
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() || is_link_local(address) {
            return Err(BadUsage(format!(
                "--address: found {address}, which is no address of another machine; expected one that pods of the \
                 member reach"
            )));
        }
        if addresses.iter().take(at).any(|earlier| earlier == address) {
            return Err(BadUsage(format!("--address: found {address} again; expected each address once")));
        }
    }
    Ok(manifests::region_address(region, addresses))
}

/// The API server takes none of these in an EndpointSlice.
fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
