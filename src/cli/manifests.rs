//! `isthmus manifests`: what gets installed, to be reviewed before it is applied.

use std::process::ExitCode;

use clap::ValueEnum;

use super::exit;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to print.
    #[arg(value_enum, default_value_t)]
    part: Part,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Part {
    /// Everything for the hub cluster: definitions, RBAC, Deployments.
    #[default]
    All,
    /// Custom resource definitions.
    Crds,
    /// Roles of the controller and the regional control planes in the hub cluster.
    HubRbac,
    /// The role that a member cluster gives to Isthmus, and the ServiceAccount that has it.
    MemberRbac,
    /// Deployments and Services in the hub cluster.
    Deployments,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = match args.part {
        Part::All => {
            [crate::manifests::crds(), crate::manifests::HUB_RBAC.to_owned(), crate::manifests::DEPLOYMENTS.to_owned()]
                .join("---\n")
        }
        Part::Crds => crate::manifests::crds(),
        Part::HubRbac => crate::manifests::HUB_RBAC.to_owned(),
        Part::MemberRbac => crate::manifests::MEMBER_RBAC.to_owned(),
        Part::Deployments => crate::manifests::DEPLOYMENTS.to_owned(),
    };
    anstream::print!("{text}");
    Ok(exit::FINE)
}
