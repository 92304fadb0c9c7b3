//! The connection to the server's process: it is started, given commands, measured, and always ended.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use programs::tied::tied_to_us;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command as Program};
use tokio::time::timeout;

use super::args::Plan;
use super::error::BenchError;
use super::process::Process;
use super::protocol::{Answer, Checked, Command, Counters};
use super::synthetic::SyntheticFederation;
use crate::admin::CHECK_DEADLINE;

/// How long the process may take to end by itself.
const END_LIMIT: Duration = Duration::from_secs(5);
/// Unless the user sets another: clients of the bench reject responses on purpose.
const LOG_FILTER: &str = "warn,regions::server::stream=error";

#[derive(Debug)]
pub struct Link {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    patience: Duration,
    pub address: SocketAddr,
    pub process: Process,
}

impl Link {
    /// A control plane whose engine is still empty.
    pub async fn plane(plan: &Plan) -> Result<Self, BenchError> {
        let SyntheticFederation { services, endpoints, clusters, regions, zones, namespaces, tcp_percent } =
            plan.federation;
        let flags = [
            ("serve", "plane".to_owned()),
            ("services", services.to_string()),
            ("endpoints", endpoints.to_string()),
            ("clusters", clusters.to_string()),
            ("regions", regions.to_string()),
            ("zones", zones.to_string()),
            ("namespaces", namespaces.to_string()),
            ("tcp-percent", tcp_percent.to_string()),
            ("clients", plan.clients.to_string()),
            ("stalled", plan.stalled.to_string()),
        ];
        Self::start(&flags, plan.timeout).await
    }

    /// The bare server, see [`super::server::floor`].
    pub async fn floor(plan: &Plan) -> Result<Self, BenchError> {
        Self::start(&[("serve", "floor".to_owned())], plan.timeout).await
    }

    async fn start(flags: &[(&str, String)], patience: Duration) -> Result<Self, BenchError> {
        let program = std::env::current_exe().map_err(BenchError::Start)?;
        let mut command = Program::from(tied_to_us(&program));
        command.arg("bench").args(flags.iter().map(|(flag, value)| format!("--{flag}={value}")));
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", LOG_FILTER);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(BenchError::Start)?;
        let (Some(commands), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BenchError::Server("it has no standard input and output".to_owned()));
        };
        let process = Process::of(child.id().unwrap_or_default());
        let mut answers = BufReader::new(stdout).lines();
        match read(&mut answers, patience).await? {
            Answer::Listening { address } => Ok(Self { child, commands, answers, patience, address, process }),
            other => Err(unexpected(&other)),
        }
    }

    /// Executes a command; returns the time at which its batches were sent to the feed.
    pub async fn execute(&mut self, command: Command) -> Result<u64, BenchError> {
        match self.ask(command, self.patience).await? {
            Answer::Done { at_ns } => Ok(at_ns),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn counters(&mut self) -> Result<Counters, BenchError> {
        match self.ask(Command::Count, self.patience).await? {
            Answer::Counters(counters) => Ok(counters),
            other => Err(unexpected(&other)),
        }
    }

    /// Has the control plane compare its state with one that is computed from scratch.
    pub async fn check(&mut self) -> Result<Checked, BenchError> {
        match self.ask(Command::Check, self.patience.max(CHECK_DEADLINE)).await? {
            Answer::Checked(checked) => Ok(checked),
            other => Err(unexpected(&other)),
        }
    }

    async fn ask(&mut self, command: Command, patience: Duration) -> Result<Answer, BenchError> {
        let mut line = serde_json::to_string(&command).map_err(|error| BenchError::Server(error.to_string()))?;
        line.push('\n');
        self.commands.write_all(line.as_bytes()).await.map_err(|error| BenchError::Server(error.to_string()))?;
        read(&mut self.answers, patience).await
    }

    /// Ends it, by force if it takes too long.
    pub async fn end(self) {
        let Self { mut child, commands, .. } = self;
        drop(commands);
        if timeout(END_LIMIT, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

async fn read(answers: &mut Lines<BufReader<ChildStdout>>, patience: Duration) -> Result<Answer, BenchError> {
    let line = timeout(patience, answers.next_line()).await;
    let line = line.map_err(|_| BenchError::Server(format!("no answer within {} s", patience.as_secs())))?;
    let line = line.map_err(|error| BenchError::Server(error.to_string()))?;
    let Some(line) = line else { return Err(BenchError::Server("it ended; its output is above".to_owned())) };
    serde_json::from_str(&line).map_err(|error| BenchError::Server(format!("{error} in {line:?}")))
}

fn unexpected(answer: &Answer) -> BenchError {
    match answer {
        Answer::Failed { reason } => BenchError::Server(reason.clone()),
        other => BenchError::Server(format!("an answer to something else: {other:?}")),
    }
}
