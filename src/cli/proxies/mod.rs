//! Connected proxies, and what each was sent: for the admin pages that tell it and `isthmus proxy` that shows it.

mod client;
mod print;

pub use client::{Admin, ask_detail, ask_dump, ask_list};
pub use print::{print_detail, print_list};
