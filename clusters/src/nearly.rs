//! Names that people meant to write.

/// Whether one name is probably a slip for the other: at most two letters off (one in short names), case aside.
pub(crate) fn nearly(found: &str, known: &str) -> bool {
    let allowed = if known.len() < 5 { 1 } else { 2 };
    distance(&found.to_lowercase(), &known.to_lowercase(), allowed) <= allowed
}

/// Levenshtein distance; gives up early on names of very different length.
fn distance(a: &str, b: &str, enough: usize) -> usize {
    if a.len().abs_diff(b.len()) > enough {
        return usize::MAX;
    }
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            let best = (diagonal + usize::from(from != *to)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
