//! The commands of a page of the documentation, run as a reader would type them: block after block, in one shell.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

/// One block may take this long: rollouts are waited for.
const LIMIT: Duration = Duration::from_secs(180);
/// What the blocks before left behind is there again, as in one shell; what bash itself keeps read-only is not.
const RESUME: &str = "if [ -f \"$STATE\" ]; then . \"$STATE\" 2>/dev/null || true; fi\nset -euo pipefail\n";
const REMEMBER: &str = "\n{ declare -p; declare -f; } > \"$STATE\"\n";

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub section: String,
    pub in_a_pod: bool,
    pub text: String,
}

/// A page, and how far it was run.
pub struct Script {
    blocks: Vec<Block>,
    next: usize,
    folder: TempDir,
    env: Vec<(String, String)>,
}

impl Script {
    /// `path` holds the programs that the page names.
    pub fn new(page: &str, path: &Path, kubeconfig: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("isthmus-day-").tempdir().unwrap();
        let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default());
        let env = [
            ("PATH", path),
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("HOME", folder.path().display().to_string()),
            ("STATE", folder.path().join(".state").display().to_string()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { blocks: blocks(page), next: 0, folder, env }
    }

    /// Runs the next blocks, which have to be those of this section, up to one for a pod; what they printed.
    pub async fn section(&mut self, name: &str) -> String {
        let mut printed = String::new();
        let mut found = false;
        while let Some(block) = self.blocks.get(self.next).filter(|block| block.section == name) {
            found = true;
            if block.in_a_pod {
                break;
            }
            let block = block.clone();
            self.next += 1;
            printed.push_str(&self.run(&block).await);
        }
        let next = self.blocks.get(self.next).map(|block| &block.section);
        assert!(found, "no block of {name:?} is next: {next:?}");
        printed
    }

    /// The next block, which has to be for a pod.
    pub fn in_a_pod(&mut self) -> Block {
        let block = self.blocks.get(self.next).cloned().expect("a block");
        assert!(block.in_a_pod, "{block:?}");
        self.next += 1;
        block
    }

    pub fn is_done(&self) -> bool {
        self.next == self.blocks.len()
    }

    /// Where the blocks leave their files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn run(&self, block: &Block) -> String {
        let text = [RESUME, &block.text, REMEMBER].concat();
        let mut command = Command::new("bash");
        command.arg("-c").arg(&text).envs(self.env.iter().cloned()).current_dir(self.folder.path());
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("no end within {LIMIT:?}:\n{}", block.text)).unwrap();
        let (printed, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            output.status.success(),
            "{:?}: {}\n{}\n--- it printed\n{printed}\n--- and complained\n{complaints}",
            block.section,
            output.status,
            block.text
        );
        // kubectl warns of what it will not put up with later.
        assert!(!complaints.contains("Warning:"), "{:?}: {complaints}", block.section);
        printed.into_owned()
    }
}

/// The blocks that are run: `bash`, and `bash in-a-pod`. Any other language after the fence is for the reader alone.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut section, mut open): (Vec<Block>, String, Option<Option<Block>>) = Default::default();
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(""), Some(_)) => blocks.extend(open.take().flatten()),
            (Some(info), None) => {
                let in_a_pod = info == "bash in-a-pod";
                let known = in_a_pod || info == "bash";
                assert!(known || matches!(info, "console" | "yaml" | "json"), "a fence of no known kind: {line}");
                open = Some(known.then(|| Block { section: section.clone(), in_a_pod, text: String::new() }));
            }
            (Some(_), Some(_)) => panic!("a fence in a block: {line}"),
            (None, Some(Some(block))) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(None)) => {}
            (None, None) => {
                if let Some(heading) = line.strip_prefix("## ") {
                    section = heading.to_owned();
                }
            }
        }
    }
    assert!(open.is_none(), "a block without an end");
    blocks
}
