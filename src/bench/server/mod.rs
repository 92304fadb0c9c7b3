//! The server's process. It is a region's control plane with a synthetic federation in place of Kubernetes, or a bare server. It
//! executes commands from standard input, and ends when that is closed.

pub mod floor;
pub mod plane;

use tokio::sync::mpsc;

use super::protocol::{Answer, Command};

/// Commands that may be queued; the bench sends one and waits for its answer.
const WAITING: usize = 4;

/// The commands on standard input, until that is closed.
struct Commands(mpsc::Receiver<String>);

impl Commands {
    fn read() -> std::io::Result<Self> {
        let (sender, lines) = mpsc::channel(WAITING);
        // Reading blocks, and nothing can interrupt it: so it has a thread that is never joined.
        std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(lines))
    }

    /// The next command. What is no command is answered here.
    async fn next(&mut self) -> Option<Command> {
        loop {
            let line = self.0.recv().await?;
            match serde_json::from_str(&line) {
                Ok(command) => return Some(command),
                Err(error) => print(&Answer::Failed { reason: format!("not a command: {error}") }),
            }
        }
    }
}

fn print(answer: &Answer) {
    if let Ok(text) = serde_json::to_string(answer) {
        anstream::println!("{text}");
    }
}
