//! Children that do not outlive the process that started them, however it ends.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

/// A command whose process the kernel kills when this one is gone: `setpriv` (util-linux) asks for that and then becomes
/// the program, with the same pid. Without `setpriv`, only destructors end children. The kernel goes by the *thread* that
/// starts the child, so it must be one that lasts.
pub fn tied_to_us(program: &Path) -> Command {
    if !can_tie() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Whether children end with this process even if it is killed outright.
pub fn can_tie() -> bool {
    *CAN_TIE
}

static CAN_TIE: LazyLock<bool> = LazyLock::new(|| {
    let output = Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).output();
    output.is_ok_and(|output| output.status.success())
});
