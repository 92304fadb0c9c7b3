//! What a process has used according to the kernel: CPU to the nanosecond, memory to the page.

use std::time::Duration;

use super::error::BenchError;

/// Ticks in which `/proc/<pid>/stat` counts, on every Linux.
const TICKS_PER_SECOND: u64 = 100;
/// The allocator returns freed memory to the system within a second.
const SETTLING: Duration = Duration::from_secs(3);

#[derive(Clone, Debug)]
pub struct Process {
    folder: String,
}

/// Bytes of memory in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub resident: u64,
    /// The most that was resident since the start, or since [`Process::forget_peak`].
    pub peak: u64,
}

impl Process {
    pub fn of(id: u32) -> Self {
        Self { folder: format!("/proc/{id}") }
    }

    pub fn own() -> Self {
        Self { folder: "/proc/self".to_owned() }
    }

    /// CPU time of all its threads that still run. Threads are neither started nor ended while something is measured.
    pub fn cpu(&self) -> Result<Duration, BenchError> {
        let tasks = format!("{}/task", self.folder);
        let entries = std::fs::read_dir(&tasks).map_err(|source| BenchError::Read { path: tasks, source })?;
        let mut total = 0;
        for entry in entries.flatten() {
            // A thread may end meanwhile; a kernel without this accounting has no such file.
            let text = std::fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default();
            total += first_number(&text);
        }
        if total > 0 { Ok(Duration::from_nanos(total)) } else { self.cpu_in_ticks() }
    }

    fn cpu_in_ticks(&self) -> Result<Duration, BenchError> {
        let text = self.read("stat")?;
        // The name, in parentheses, may hold blanks; utime and stime are the 12th and 13th field after it.
        let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    pub fn memory(&self) -> Result<Memory, BenchError> {
        let text = self.read("status")?;
        let kib = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map_or(0, first_number);
        Ok(Memory { resident: kib("VmRSS:") * 1_024, peak: kib("VmHWM:") * 1_024 })
    }

    /// The same once freed memory has gone back to the system.
    pub async fn memory_at_rest(&self) -> Result<Memory, BenchError> {
        tokio::time::sleep(SETTLING).await;
        self.memory()
    }

    /// Resets the peak. Where that is not permitted, the peak stays that of the whole life of the process.
    pub fn forget_peak(&self) {
        let _ = std::fs::write(format!("{}/clear_refs", self.folder), "5");
    }

    fn read(&self, file: &str) -> Result<String, BenchError> {
        let path = format!("{}/{file}", self.folder);
        std::fs::read_to_string(&path).map_err(|source| BenchError::Read { path, source })
    }
}

/// CPU time that all processes of the machine have used; `None` if the kernel does not count it.
pub fn machine_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal: what is neither idle nor waiting.
    let [user, nice, system, _, _, irq, softirq, steal, ..] = *ticks else { return None };
    Some(Duration::from_millis((user + nice + system + irq + softirq + steal) * 1_000 / TICKS_PER_SECOND))
}

/// How many files this process may have open; `None` if that is unlimited or unknown.
pub fn open_files_limit() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let limit = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    limit.split_whitespace().next()?.parse().ok()
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let process = Process::own();
        let before = process.cpu().expect("CPU time");
        let sum = (0..50_000_000u64).fold(0u64, |sum, n| std::hint::black_box(sum.wrapping_add(n * n)));
        assert!(process.cpu().expect("CPU time") > before, "{sum}");
        assert!(process.cpu_in_ticks().expect("CPU time") > Duration::ZERO);
        let memory = process.memory().expect("memory");
        assert!(memory.resident > 1 << 20 && memory.peak >= memory.resident / 2, "{memory:?}");
        assert!(machine_cpu() > Some(Duration::ZERO));
        assert!(open_files_limit().is_none_or(|limit| limit > 16));
        assert!(Process::of(u32::MAX).memory().is_err());
    }
}
