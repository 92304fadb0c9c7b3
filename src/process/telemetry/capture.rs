//! The log of a test, in both formats.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is logged while `run` runs, from level debug on.
pub(crate) fn logged(format: LogFormat, run: impl FnOnce()) -> String {
    let written = Written::default();
    let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(written.clone());
    let dispatch = match format {
        LogFormat::Human => Dispatch::new(
            builder.with_ansi(false).fmt_fields(Plain).event_format(Human::new(Floods::default())).finish(),
        ),
        LogFormat::Json => Dispatch::new(
            builder.json().flatten_event(true).map_event_format(|format| Json::new(format, Floods::default())).finish(),
        ),
    };
    tracing::dispatcher::with_default(&dispatch, run);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).expect("text")
}
