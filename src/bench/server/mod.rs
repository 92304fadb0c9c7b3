//! The server's process. It does what a region's control plane does, with a synthetic federation in place of Kubernetes. It
//! executes commands from standard input, and ends when that is closed.

pub mod floor;
pub mod plane;

use tokio::sync::mpsc;

use super::protocol::{Answer, Command};

/// Commands that may be queued; the bench sends one and waits for its answer.
const WAITING: usize = 4;

/// Answers one command after another, until standard input is closed.
async fn answer_all(mut answer: impl AsyncFnMut(Command) -> Answer) -> std::io::Result<()> {
    let (sender, mut lines) = mpsc::channel(WAITING);
    // Reading blocks, and nothing can interrupt it: so it has a thread that is never joined.
    std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    })?;
    while let Some(line) = lines.recv().await {
        let answered = match serde_json::from_str(&line) {
            Ok(command) => answer(command).await,
            Err(error) => Answer::Failed { reason: format!("not a command: {error}") },
        };
        print(&answered);
    }
    Ok(())
}

fn print(answer: &Answer) {
    if let Ok(text) = serde_json::to_string(answer) {
        anstream::println!("{text}");
    }
}
