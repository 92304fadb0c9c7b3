//! Colours and small bars. A bar shows by its shape what the colour shows: colours are lost in a pipe.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::super::world::Spot;

pub const HEAD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const SAME_REGION: Style = AnsiColor::Cyan.on_default();
const OTHER_REGION: Style = AnsiColor::Yellow.on_default();

/// Cells of a bar.
const WIDTH: usize = 20;
/// Places that a line names; the rest is summed up.
const MAX_PLACES: usize = 3;

/// Where a region's clients are at home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub region: &'static str,
    pub zone: &'static str,
}

/// How far from home an answer came, nearest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    SameZone,
    SameRegion,
    OtherRegion,
}

impl Distance {
    fn of(home: &Home, spot: &Spot) -> Self {
        match (spot.region == home.region, spot.zone == home.zone) {
            (true, true) => Self::SameZone,
            (true, false) => Self::SameRegion,
            (false, _) => Self::OtherRegion,
        }
    }

    fn look(self) -> (&'static str, Style) {
        match self {
            Self::SameZone => ("█", GOOD),
            Self::SameRegion => ("▓", SAME_REGION),
            Self::OtherRegion => ("░", OTHER_REGION),
        }
    }
}

pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// What the cells of a bar mean.
pub fn legend() -> String {
    let cell = |distance: Distance, meaning: &str| {
        let (glyph, style) = distance.look();
        format!("{} {meaning}", paint(style, glyph))
    };
    format!(
        "each region's clients and who answers them:  {}  {}  {}",
        cell(Distance::SameZone, "own zone"),
        cell(Distance::SameRegion, "own region"),
        cell(Distance::OtherRegion, "another region"),
    )
}

/// The shares as a bar of fixed width, nearest first.
pub fn bar(home: &Home, shares: &[(Spot, f64)]) -> String {
    let mut text = String::new();
    let mut sum = 0.0;
    let mut drawn = 0;
    for distance in [Distance::SameZone, Distance::SameRegion, Distance::OtherRegion] {
        let of_distance = shares.iter().filter(|(spot, _)| Distance::of(home, spot) == distance);
        sum += of_distance.map(|(_, share)| share).sum::<f64>();
        // Rounding the running sum, not each part, keeps the width.
        let until = (1..=WIDTH).rev().find(|cell| cell_end(*cell) <= sum).unwrap_or(0);
        let (glyph, style) = distance.look();
        if until > drawn {
            text.push_str(&paint(style, &glyph.repeat(until - drawn)));
            drawn = until;
        }
    }
    if drawn < WIDTH {
        text.push_str(&paint(DIM, &"·".repeat(WIDTH - drawn)));
    }
    text
}

/// The share from which on a cell is filled: half of it is enough.
fn cell_end(cell: usize) -> f64 {
    let cells = u32::try_from(cell).unwrap_or(u32::MAX);
    let width = u32::try_from(WIDTH).unwrap_or(1);
    (f64::from(cells) - 0.5) / f64::from(width)
}

/// `eu-1/eu-a 70%, eu-1/eu-b 15%`.
pub fn shares(shares: &[(Spot, f64)]) -> String {
    if shares.is_empty() {
        return paint(BAD, "no one");
    }
    let mut parts: Vec<String> =
        shares.iter().take(MAX_PLACES).map(|(spot, share)| format!("{spot} {:.0}%", share * 100.0)).collect();
    if shares.len() > MAX_PLACES {
        parts.push(format!("{} more", shares.len() - MAX_PLACES));
    }
    parts.join(", ")
}

/// `31 ms`, `1.24 s`.
pub fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

/// Breaks a text between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A line of the result table with its verdict in colour.
pub fn verdict(line: &str) -> String {
    if let Some(start) = line.strip_suffix("held") {
        return format!("{start}{}", paint(GOOD, "held"));
    }
    line.replacen("NOT HELD", &paint(BAD, "NOT HELD"), 1)
}

/// The text as standard error may show it: without colours, if the user does not want them.
pub fn for_stderr(text: &str) -> String {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EU: Home = Home { region: "eu", zone: "eu-a" };

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn spot(place: &str) -> Spot {
        let (cluster, zone) = place.split_once('/').unwrap_or((place, ""));
        Spot::new(cluster.split('-').next().unwrap_or_default(), cluster, zone)
    }

    #[test]
    fn a_bar_tells_near_from_far_without_colours() {
        let mixed = [(spot("us-1/us-a"), 0.1), (spot("eu-1/eu-a"), 0.7), (spot("eu-1/eu-b"), 0.2)];
        assert_eq!(plain(&bar(&EU, &mixed)), "██████████████▓▓▓▓░░");
        assert_eq!(plain(&bar(&EU, &[])), "····················");
        let thirds = [(spot("eu-1/eu-a"), 1.0 / 3.0), (spot("eu-1/eu-b"), 1.0 / 3.0), (spot("us-1/us-a"), 1.0 / 3.0)];
        assert_eq!(plain(&bar(&EU, &thirds)).chars().count(), WIDTH);
    }

    #[test]
    fn shares_and_times_are_short() {
        assert_eq!(shares(&[(spot("eu-1/eu-a"), 0.702), (spot("eu-1/eu-b"), 0.298)]), "eu-1/eu-a 70%, eu-1/eu-b 30%");
        assert_eq!(plain(&shares(&[])), "no one");
        assert_eq!(time(Duration::from_micros(31_700)), "31 ms");
        assert_eq!(time(Duration::from_millis(1_239)), "1.24 s");
    }
}
