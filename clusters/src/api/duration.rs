//! Durations as people write them in a spec: "30s", "1h30m", "Never".

use std::fmt;
use std::time::Duration;

/// Longest duration that is taken: a year. More is a slip of the pen.
pub const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A duration, or none at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Never,
    After(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("a duration such as \"30s\", \"5m\", \"1h30m\" or \"Never\"")]
    Form,
    #[error("at most 8784h (a year), or \"Never\"")]
    TooLong,
}

impl std::str::FromStr for Period {
    type Err = DurationError;

    /// Whole numbers with a unit of `h`, `m`, `s` or `ms` (Go's notation without fractions), each unit once, or "Never".
    fn from_str(text: &str) -> Result<Self, DurationError> {
        if text == "Never" {
            return Ok(Self::Never);
        }
        let mut rest = text;
        let mut total_ms: u64 = 0;
        let mut last_unit_ms = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let number: u64 = match number.parse() {
                Ok(number) => number,
                Err(_) if number.is_empty() => return Err(DurationError::Form),
                Err(_) => return Err(DurationError::TooLong),
            };
            let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
            let (unit, unit_ms) = units.iter().find(|(unit, _)| tail.starts_with(unit)).ok_or(DurationError::Form)?;
            if *unit_ms >= last_unit_ms {
                return Err(DurationError::Form);
            }
            last_unit_ms = *unit_ms;
            total_ms = number
                .checked_mul(*unit_ms)
                .and_then(|ms| total_ms.checked_add(ms))
                .filter(|ms| Duration::from_millis(*ms) <= MAX_DURATION)
                .ok_or(DurationError::TooLong)?;
            rest = tail.strip_prefix(unit).unwrap_or_default();
        }
        if last_unit_ms == u64::MAX {
            Err(DurationError::Form)
        } else {
            Ok(Self::After(Duration::from_millis(total_ms)))
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::After(duration) = self else { return f.write_str("Never") };
        let mut ms = duration.as_millis();
        if ms == 0 {
            return f.write_str("0s");
        }
        for (unit, unit_ms) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if ms >= unit_ms {
                write!(f, "{}{unit}", ms / unit_ms)?;
                ms %= unit_ms;
            }
        }
        Ok(())
    }
}
