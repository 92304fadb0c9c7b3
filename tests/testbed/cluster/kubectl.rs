//! The real `kubectl` and `helm`, as people use them.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Cluster;
use crate::testbed::binaries::{Tool, obtain_all};

const LIMIT: Duration = Duration::from_secs(60);

impl Cluster {
    /// What `kubectl` prints, as the administrator. Panics if it fails.
    pub async fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What `kubectl` prints, or the error it ends with.
    pub async fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        self.run(Tool::Kubectl, args).await
    }

    /// What `helm` prints, as the administrator, or the error it ends with.
    pub async fn helm(&self, args: &[&str]) -> Result<String, String> {
        self.run(Tool::Helm, args).await
    }

    async fn run(&self, tool: Tool, args: &[&str]) -> Result<String, String> {
        let [program] = obtain_all([tool]).await;
        let mut command = Command::new(program);
        command.args(args).env("KUBECONFIG", &self.plane.kubeconfig_path);
        // Its discovery cache is per address, and another test may reuse this one.
        command.env("HOME", self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let failure = |what: String| format!("{}: {} {}: {what}", self.name, tool.name(), args.join(" "));
        match tokio::time::timeout(LIMIT, command.output()).await {
            Err(_) => Err(failure(format!("no end within {LIMIT:?}"))),
            Ok(Err(error)) => Err(failure(error.to_string())),
            Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(Ok(output)) => Err(failure(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }
}
