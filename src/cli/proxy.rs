//! `isthmus proxy`: connected proxies, whether they take what they are sent, and what that is.

use std::process::ExitCode;

use regions::resource::ResourceType;

use crate::admin::json::proxy::{Delivery, ProxyJson};
use crate::cli::proxies::{Admin, ask_detail, ask_dump, ask_list, print_detail, print_list};
use crate::outcome::{self, BadUsage};
use crate::terminal::{self, Format, OutputArgs};

/// Without NODE: all connected proxies, and clients that are refused. Exit 0: none rejects what it is sent and none is
/// refused; 1: some is, no such proxy, or a control plane does not answer; 2: bad usage.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A proxy's node id: shows that one in detail.
    node: Option<String>,
    /// A control plane's admin address. May be repeated: one for each replica.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:15014")]
    admin: Vec<String>,
    /// Print what the proxy was sent, as JSON (or YAML with -o yaml).
    #[arg(long, requires = "node")]
    dump: bool,
    /// Of the dump, only this type.
    #[arg(long = "type", value_name = "TYPE", requires = "dump", value_parser = types())]
    kind: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

fn types() -> clap::builder::PossibleValuesParser {
    ResourceType::ALL.map(ResourceType::label).into()
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { node, admin, dump, kind, output: OutputArgs { format } } = args;
    let admins = admin.iter().map(|url| Admin::new(url)).collect::<Result<Vec<_>, BadUsage>>()?;
    match node {
        Some(node) if dump => {
            let document = ask_dump(&admins, &node, kind.as_deref()).await?;
            // There is no table of it.
            let format = if format == Format::Yaml { Format::Yaml } else { Format::Json };
            terminal::print_document(format, &document)?;
            Ok(outcome::OK)
        }
        Some(node) => {
            let detail = ask_detail(&admins, &node).await?;
            if !terminal::print_document(format, &detail)? {
                print_detail(&detail);
            }
            Ok(code(&[detail.proxy]))
        }
        None => {
            let (proxies, failed) = ask_list(&admins).await;
            for error in &failed {
                terminal::complain(format_args!("error: {error:#}"));
            }
            // No control plane answered: an empty list would be wrong.
            if failed.len() == admins.len() {
                return Ok(ExitCode::from(outcome::PROBLEM));
            }
            if !terminal::print_document(format, &proxies)? {
                print_list(&proxies, format);
            }
            Ok(if failed.is_empty() { code(&proxies) } else { ExitCode::from(outcome::PROBLEM) })
        }
    }
}

fn code(proxies: &[ProxyJson]) -> ExitCode {
    let bad = |proxy: &ProxyJson| proxy.refused.is_some() || proxy.worst() == Some(Delivery::Rejected);
    if proxies.iter().any(bad) { ExitCode::from(outcome::PROBLEM) } else { outcome::OK }
}
