//! Every bound of the product, as docs/limits.md lists them: what is counted or weighed, how much of it, what happens at
//! the bound, and where one sees that. The table is made from the constants that the code goes by, so it cannot be wrong.

mod members;
mod objects;
mod proxies;
mod reports;

use std::time::Duration;

/// One row of the table.
pub struct Bound {
    pub what: String,
    pub value: String,
    /// The flag that sets it, if there is one.
    pub flag: Option<&'static str>,
    /// What happens to what is beyond it.
    pub beyond: &'static str,
    /// Where a user sees that.
    pub seen: &'static str,
}

impl Bound {
    fn of(what: impl Into<String>, value: impl ToString, beyond: &'static str, seen: &'static str) -> Self {
        Self { what: what.into(), value: value.to_string(), flag: None, beyond, seen }
    }

    fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }
}

/// The tables, each under its heading.
pub fn tables() -> [(&'static str, Vec<Bound>); 4] {
    [
        ("Proxies and gRPC clients", proxies::bounds()),
        ("Members and the hub", members::bounds()),
        ("Objects and files", objects::bounds()),
        ("Pages, logs and statuses", reports::bounds()),
    ]
}

/// The tables in Markdown.
pub fn markdown() -> String {
    let row = |bound: &Bound| {
        let flag = bound.flag.map_or_else(|| "–".to_owned(), |flag| format!("`{flag}`"));
        format!("| {} | {} | {flag} | {} | {} |\n", bound.what, bound.value, bound.beyond, bound.seen)
    };
    let head = "| bound | value | flag | beyond it | where it shows |\n| --- | --- | --- | --- | --- |\n";
    let table = |(title, bounds): &(&str, Vec<Bound>)| {
        format!("## {title}\n{head}{}\n", bounds.iter().map(row).collect::<String>())
    };
    tables().iter().map(table).collect()
}

/// `16 MiB`, or bytes where that is not a whole number.
fn bytes(count: usize) -> String {
    match count {
        _ if count != 0 && count.is_multiple_of(1 << 20) => format!("{} MiB", count >> 20),
        _ if count != 0 && count.is_multiple_of(1 << 10) => format!("{} KiB", count >> 10),
        _ => format!("{count} bytes"),
    }
}

/// `10 min`, `2 s` or `500 ms`.
fn time(span: Duration) -> String {
    match span.as_millis() {
        millis if millis != 0 && millis.is_multiple_of(60_000) => format!("{} min", millis / 60_000),
        millis if millis.is_multiple_of(1_000) => format!("{} s", millis / 1_000),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests;
