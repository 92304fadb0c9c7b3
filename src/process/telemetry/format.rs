//! Lines of the log. What others wrote stays inside of its field and inside of its line: the characters that would end a
//! line, steer a terminal or hide text are shown as escapes, and a text of a megabyte is cut.

use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use clusters::foreign::{Bounded, Visible, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{self, Format, FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::flood::{Floods, Verdict};

/// Longest value of one field in a line for people, in bytes.
pub const MAX_VALUE_LEN: usize = 4 << 10;
/// Causes of an error that are named.
const MAX_CAUSES: usize = 8;
/// The field that says how many lines of the kind were left out before this one.
const LEFT_OUT: &str = "suppressed";

/// Fields for people: `message name=value`.
pub(super) struct Plain;

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut visitor = Fields { writer, first: true, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }
}

struct Fields<'writer> {
    writer: Writer<'writer>,
    first: bool,
    result: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, name: &str, value: impl Display) {
        let value = Bounded::text(value, MAX_VALUE_LEN);
        let space = if std::mem::take(&mut self.first) { "" } else { " " };
        let style = if self.writer.has_ansi_escapes() { Style::new().italic() } else { Style::new() };
        let written = match name {
            "message" => write!(self.writer, "{space}{}", Visible(value)),
            name => {
                let name = name.strip_prefix("r#").unwrap_or(name);
                write!(self.writer, "{space}{style}{name}{style:#}={}", Visible(value))
            }
        };
        self.result = self.result.and(written);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.put("message", value),
            name => self.put(name, format_args!("{value:?}")),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let causes = fmt::from_fn(|f| {
            write!(f, "{value}")?;
            let causes = std::iter::successors(value.source(), |cause: &&dyn Error| (*cause).source());
            causes.take(MAX_CAUSES).try_for_each(|cause| write!(f, ": {cause}"))
        });
        self.put(field.name(), causes);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format_args!("{value:?}"));
    }
}

/// `2026-11-30T21:00:02.123456Z  WARN configuration rejected node="web-1"`.
pub(super) struct Human {
    floods: Floods,
}

impl Human {
    pub(super) fn new(floods: Floods) -> Self {
        Self { floods }
    }
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Verdict::Write(left_out) = self.floods.judge(event, Instant::now()) else { return Ok(()) };
        let ansi = writer.has_ansi_escapes();
        let styled = |style: Style| if ansi { style } else { Style::new() };
        let (faint, level) = (styled(Style::new().dimmed()), styled(colour(*event.metadata().level())));
        write!(writer, "{faint}")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "{faint:#} {level}{:>5}{level:#} ", event.metadata().level().as_str())?;
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            write!(writer, "{}", span.name())?;
            let extensions = span.extensions();
            if let Some(fields) = extensions.get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                write!(writer, "{{{fields}}}")?;
            }
            writer.write_str(": ")?;
        }
        context.format_fields(writer.by_ref(), event)?;
        if left_out > 0 {
            write!(writer, " {LEFT_OUT}={left_out}")?;
        }
        writeln!(writer)
    }
}

fn colour(level: Level) -> Style {
    let colour = match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        Level::DEBUG => AnsiColor::Blue,
        Level::TRACE => AnsiColor::Magenta,
    };
    Style::new().fg_color(Some(colour.into()))
}

/// One JSON object a line.
pub(super) struct Json {
    inner: Format<format::Json>,
    floods: Floods,
}

impl Json {
    pub(super) fn new(inner: Format<format::Json>, floods: Floods) -> Self {
        Self { inner, floods }
    }
}

impl<S> FormatEvent<S, JsonFields> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Verdict::Write(left_out) = self.floods.judge(event, Instant::now()) else { return Ok(()) };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let line = json(line);
        match line.strip_suffix("}\n") {
            Some(object) if left_out > 0 => writeln!(writer, "{object},\"{LEFT_OUT}\":{left_out}}}"),
            _ => writer.write_str(&line),
        }
    }
}
